import { test, mock } from 'node:test';
import assert from 'node:assert/strict';
import { Chat } from '../static/js/net/chat.js';
import { Bench } from '../static/js/net/bench.js';
import { Probe } from '../static/js/net/probe.js';
import { channelPair, cut, puppet, settle, until } from './channel.js';

function talk(t, Kind) {
  const [a, b] = [new Kind(true), new Kind(false)]; // a Bench wants to know who offers
  const connect = () => {
    const [x, y] = channelPair();
    a.attach(x);
    b.attach(y);
    return [x, y];
  };
  t.after(() => { a.detach(); b.detach(); });
  return { a, b, connect };
}

function against(t, Kind) {
  const mine = new Kind(false);
  const [x, y] = channelPair();
  mine.attach(x);
  t.after(() => mine.detach());
  return { mine, x, ...puppet(y) };
}

test('chat: said, shown, confirmed', async (t) => {
  const { a, b, connect } = talk(t, Chat);
  connect();
  const { id } = a.send('<b>höi</b> 👋');
  await settle();
  assert.deepEqual(b.messages.map((m) => [m.id, m.mine, m.text]), [[id, false, '<b>höi</b> 👋']]);
  assert.ok(a.messages[0].delivered && a.messages[0].mine);
});

test('chat: what was not confirmed is said again, and shown once', async (t) => {
  const { a, b, connect } = talk(t, Chat);
  a.send('before there was a channel');
  const [, y] = connect();
  y.mangle = () => null; // every confirmation is lost
  a.send('and after');
  await settle();
  assert.equal(b.messages.length, 2);
  assert.ok(a.messages.every((m) => !m.delivered));
  cut(y);
  connect();
  await settle();
  assert.ok(a.messages.every((m) => m.delivered));
  assert.deepEqual(b.messages.map((m) => m.text), ['before there was a channel', 'and after']);
});

test('chat: limits, ours and theirs', async (t) => {
  const { mine, say, frames } = against(t, Chat);
  assert.throws(() => mine.send(''), RangeError);
  assert.throws(() => mine.send('x'.repeat(4001)), RangeError);
  assert.throws(() => mine.send('\u0001'.repeat(4000)), RangeError, 'escaped it is larger than a frame');
  mine.send('👋'.repeat(4000));
  for (let i = 0; i < 3000; i++) say({ t: 'chat', id: `i${i}`, text: 'flood' });
  say({ t: 'later', x: 1 });
  say({ t: 'got', id: 'nobody said that' });
  await settle(500);
  assert.ok(mine.messages.length <= 1000);
  assert.ok(!mine.broken);
  say({ t: 'chat', id: '', text: 'x' });
  await settle();
  assert.equal(frames.at(-1).t, 'error');
});

for (const bad of [{ t: 'chat', id: 'x'.repeat(65), text: 'x' }, { t: 'chat', id: 'x', text: '' }, { t: 'chat', id: 'x', text: 'x'.repeat(4001) },
  { t: 'chat', id: 'x' }, { t: 'chat', id: 1, text: 'x' }, new Uint8Array(3)]) {
  test(`chat: ${JSON.stringify(bad).slice(0, 40)} ends it, until the next channel`, async (t) => {
    const { mine, say, frames } = against(t, Chat);
    say(bad);
    say({ t: 'chat', id: 'later', text: 'not heard any more' });
    await settle();
    assert.equal(frames.at(-1).t, 'error');
    assert.equal(mine.messages.length, 0);
    mine.attach(channelPair()[0]);
    assert.equal(mine.broken, '');
  });
}

test('bench: both directions, as the receiver counted', async (t) => {
  const { a, b, connect } = talk(t, Bench);
  const [x, y] = connect();
  const progress = [];
  a.addEventListener('progress', (e) => progress.push(e.detail));
  const sent = await a.run({ dir: 'send', ms: 300 });
  assert.ok(sent.bytes > 0 && sent.ms > 0);
  assert.equal(b.result.bytes, sent.bytes);
  assert.equal(b.result.dir, 'receive');
  assert.ok(sent.bytes <= x.delivered);
  const got = await a.run({ dir: 'receive', ms: 300 });
  assert.ok(got.bytes > 0 && got.bytes <= y.delivered);
  assert.ok(progress.some((p) => p.dir === 'send') && progress.some((p) => p.dir === 'receive'));
  assert.ok(progress.every((p) => p.rate >= 0 && p.bytes > 0));
  await settle();
  assert.ok(!a.running && !b.running);
});

test('bench: it says what the other side says, not what it queued', async (t) => {
  const { mine, say, frames } = against(t, Bench);
  const run = mine.run({ dir: 'send', ms: 100 });
  await settle();
  const { id } = frames[0];
  assert.deepEqual(frames[0], { t: 'run', id, dir: 'send', ms: 100 });
  say({ t: 'ready', id });
  say({ t: 'result', id: id + 1, bytes: 99, ms: 9 }); // of another run
  say({ t: 'result', id, bytes: 1234, ms: 56 });
  assert.deepEqual(await run, { bytes: 1234, ms: 56 });
});

test('bench: one at a time; refused, stopped, cut', async (t) => {
  const { a, b, connect } = talk(t, Bench);
  await assert.rejects(a.run({ dir: 'send', ms: 100 }), /no connection/);
  const [x] = connect();
  const long = a.run({ dir: 'send', ms: 30_000 });
  await assert.rejects(a.run({ dir: 'send', ms: 100 }), /going on/);
  await until(b, ['progress'], () => b.running);
  await settle();
  await assert.rejects(b.run({ dir: 'send', ms: 100 }), /going on/);
  b.stop();
  assert.ok((await long).bytes > 0);
  const stopped = a.run({ dir: 'receive', ms: 30_000 });
  await until(a, ['progress'], () => false || a.running);
  await settle();
  a.stop();
  assert.ok((await stopped).bytes > 0);
  await settle();
  const broken = a.run({ dir: 'send', ms: 30_000 });
  await settle();
  cut(x);
  await assert.rejects(broken, /cut/);
  assert.ok(!a.running && !b.running);
});

test('bench: when requests cross, that of the offerer goes first', async (t) => {
  const { a, b, connect } = talk(t, Bench);
  connect();
  const results = await Promise.allSettled([a.run({ dir: 'send', ms: 100 }), b.run({ dir: 'send', ms: 100 })]);
  assert.deepEqual(results.map((r) => r.status), ['fulfilled', 'rejected']);
  assert.match(results[1].reason.message, /same moment/);
  await settle();
  assert.ok((await b.run({ dir: 'send', ms: 100 })).bytes > 0, 'and the next is possible');
});

test('bench: a refusal of what was withdrawn is nothing, though the ids are the same', async (t) => {
  const { mine, say, frames } = against(t, Bench);
  const run = mine.run({ dir: 'send', ms: 100 });
  const withdrawn = assert.rejects(run, /same moment/);
  await settle();
  const { id } = frames[0];
  say({ t: 'run', id, dir: 'send', ms: 1000 });
  say({ t: 'refuse', id, message: 'busy' });
  await settle();
  await withdrawn;
  assert.deepEqual(frames.map((f) => f.t), ['run', 'ready']);
  assert.ok(mine.running);
});

test('bench: nonsense is refused or ends it, unasked filler is dropped', async (t) => {
  for (const bad of [{ dir: 'up', ms: 100 }, { dir: 'send', ms: 99 }, { dir: 'send', ms: 30_001 }, { dir: 'send', ms: 'x' }, { dir: 'send' }]) {
    const { mine, say, frames } = against(t, Bench);
    say(new Uint8Array(1000));
    say({ t: 'run', id: 1, ...bad });
    await settle();
    assert.equal(frames.at(-1).t, 'refuse', JSON.stringify(bad));
    assert.ok(!mine.running);
  }
  const { mine, say, frames } = against(t, Bench);
  say({ t: 'run', id: 0, dir: 'send', ms: 100 });
  await settle();
  assert.equal(frames.at(-1).t, 'error');
  assert.ok(mine.broken);
});

test('bench: silence ends it', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const { mine, frames } = against(t, Bench);
  const run = mine.run({ dir: 'send', ms: 1000 });
  mock.timers.tick(10_000);
  await assert.rejects(run, /does not answer/);
  await settle();
  assert.equal(frames.at(-1).t, 'stop');
});

test('probe: pings, round trips and losses', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const { mine, frames, say } = against(t, Probe);
  const results = [];
  mine.addEventListener('rtt', (e) => results.push(e.detail));
  await settle();
  assert.deepEqual(frames, [{ t: 'ping', n: 1 }]);
  say({ t: 'pong', n: 1 });
  say({ t: 'pong', n: 1 });
  say({ t: 'pong', n: 77 });
  await settle();
  assert.equal(results.length, 1);
  assert.ok(results[0].ms >= 0);
  mock.timers.tick(1000);
  await settle();
  assert.deepEqual(frames.at(-1), { t: 'ping', n: 2 });
  assert.deepEqual([mine.stats.sent, mine.stats.lost, mine.stats.last], [2, 0, results[0].ms]);
  for (let i = 0; i < 300; i++) say({ t: 'ping', n: i });
  await settle(100);
  assert.equal(frames.filter((f) => f.t === 'pong').length, 100, 'who floods is answered a hundred times a second');
});

test('probe: what is not back after five seconds is lost', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const real = performance.now;
  let now = 0;
  performance.now = () => now;
  t.after(() => { performance.now = real; });
  const { mine } = against(t, Probe);
  for (let i = 0; i < 7; i++) { now += 1000; mock.timers.tick(1000); }
  assert.equal(mine.stats.sent, 8);
  assert.equal(mine.stats.lost, 3);
  assert.equal(mine.stats.mean, null);
});
