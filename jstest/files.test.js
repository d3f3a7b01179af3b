import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Files } from '../static/js/net/files.js';
import { channelPair, cut, puppet, settle, until, when } from './channel.js';

const sha = (bytes) => createHash('sha256').update(bytes).digest('hex');
const file = (name, bytes, type = 'text/plain') => new File([bytes], name, { type });

/** A sink that keeps what it gets, and can be held up or made to fail. */
function sink({ gate = Promise.resolve(), fail = null } = {}) {
  const parts = [];
  return {
    kind: 'memory', where: 'in the test', offset: 0, aborted: false, closed: false, writes: 0,
    async write(bytes) {
      this.writes++;
      await gate;
      if (fail) throw fail;
      parts.push(bytes.slice());
      this.offset += bytes.length;
    },
    async close() { this.closed = true; return null; },
    async abort() { this.aborted = true; },
    bytes: () => Buffer.concat(parts),
  };
}

/** Two engines; the second accepts everything into sinks unless told otherwise. */
function pair(t, accept = (transfer, sinks) => { const s = sink(); sinks.set(transfer.name, s); transfer.accept(s); }) {
  const a = new Files();
  const b = new Files();
  const sinks = new Map();
  b.addEventListener('offer', (e) => accept(e.detail, sinks));
  const connect = () => {
    const [x, y] = channelPair();
    a.attach(x);
    b.attach(y);
    return [x, y];
  };
  t.after(() => { a.close('over'); b.close('over'); });
  return { a, b, sinks, connect };
}

const finished = (files) => until(files, ['change'], () => files.transfers.every((x) => x.finished));

test('several at once, of all sizes, both ways', async (t) => {
  const { a, b, sinks, connect } = pair(t);
  const back = sink();
  a.addEventListener('offer', (e) => e.detail.accept(back));
  connect();
  const contents = [0, 1, 48 << 10, (48 << 10) + 1, 3 << 20, 9_000_001].map((n) => randomBytes(n));
  const sent = a.offer(contents.map((bytes, i) => file(`f${i}`, bytes)));
  const other = randomBytes(2 << 20);
  b.offer([file('back', other)]);
  await Promise.all([finished(a), finished(b)]);
  contents.forEach((bytes, i) => {
    assert.equal(sent[i].state, 'done');
    assert.equal(sent[i].sha256, sha(bytes));
    assert.equal(sent[i].acked, bytes.length);
    assert.ok(sinks.get(`f${i}`).bytes().equals(bytes));
    assert.ok(sinks.get(`f${i}`).closed);
  });
  assert.ok(back.bytes().equals(other));
});

test('they take turns: a small file is not behind a large one', async (t) => {
  const { a, connect } = pair(t);
  connect();
  const [large, small] = a.offer([file('large', randomBytes(8 << 20)), file('small', randomBytes(1 << 20))]);
  await when(() => small.finished);
  assert.equal(small.state, 'done');
  assert.ok(!large.finished);
});

test('after a cut it goes on at what was written, without asking again', async (t) => {
  let offers = 0;
  const { a, b, sinks, connect } = pair(t, (transfer, kept) => { offers++; const s = sink(); kept.set(transfer.name, s); transfer.accept(s); });
  const bytes = randomBytes(12 << 20);
  let [x] = connect();
  const [out] = a.offer([file('big', bytes)]);
  await when(() => out.acked > 3 << 20);
  cut(x);
  assert.equal(out.state, 'interrupted');
  assert.equal(b.transfers[0].state, 'interrupted');
  await settle();
  const kept = sinks.get('big').offset;
  assert.ok(kept > 0 && kept < bytes.length);
  [x] = connect();
  await Promise.all([finished(a), finished(b)]);
  assert.equal(out.state, 'done');
  assert.equal(offers, 1);
  assert.ok(sinks.get('big').bytes().equals(bytes));
  assert.ok(x.delivered < bytes.length - kept + (1 << 20), 'what was written is not sent again');
});

test('a cut between the end and its confirmation', async (t) => {
  const { a, b, connect } = pair(t);
  const bytes = randomBytes(100_000);
  const [, y] = connect();
  y.mangle = (data) => (data.includes('"done"') ? null : data);
  const [out] = a.offer([file('f', bytes)]);
  await finished(b);
  await settle();
  assert.equal(out.state, 'verifying');
  cut(y);
  connect();
  await finished(a);
  assert.equal(out.state, 'done');
});

test('accepting while there is no connection', async (t) => {
  let waiting;
  const { a, b, connect } = pair(t, (transfer) => { waiting = transfer; });
  const [x] = connect();
  const [out] = a.offer([file('f', randomBytes(1000))]);
  await until(b, ['offer'], () => waiting);
  cut(x);
  assert.equal(waiting.state, 'waiting');
  waiting.accept(sink());
  connect();
  await Promise.all([finished(a), finished(b)]);
  assert.equal(out.state, 'done');
});

test('a changed byte is found by the hash', async (t) => {
  const { a, b, sinks, connect } = pair(t);
  const [x] = connect();
  let n = 0;
  x.mangle = (data) => { if (typeof data !== 'string' && n++ === 3) new Uint8Array(data)[500] ^= 1; return data; };
  const [out] = a.offer([file('f', randomBytes(500_000))]);
  await Promise.all([finished(a), finished(b)]);
  assert.equal(b.transfers[0].state, 'failed');
  assert.match(b.transfers[0].error, /hash/);
  assert.equal(out.state, 'failed');
  assert.ok(sinks.get('f').aborted && !sinks.get('f').closed);
});

test('decline, and cancel from either side', async (t) => {
  const { a, b, sinks, connect } = pair(t, (transfer, kept) => {
    if (transfer.name === 'no') return transfer.decline();
    const s = sink();
    kept.set(transfer.name, s);
    transfer.accept(s);
  });
  connect();
  const [no, mine, theirs] = a.offer([file('no', 'x'), file('mine', randomBytes(10 << 20)), file('theirs', randomBytes(10 << 20))]);
  await when(() => mine.acked > 0 && theirs.acked > 0);
  mine.cancel();
  b.transfers.find((x) => x.name === 'theirs').cancel();
  await Promise.all([finished(a), finished(b)]);
  assert.equal(no.state, 'declined');
  assert.equal(mine.state, 'cancelled');
  assert.equal(theirs.state, 'cancelled');
  assert.deepEqual(b.transfers.map((x) => x.state).sort(), ['cancelled', 'cancelled', 'declined']);
  assert.ok(sinks.get('mine').aborted && sinks.get('theirs').aborted);
});

test('it moves only while neither side has it paused', async (t) => {
  const { a, b, connect } = pair(t);
  const [x] = connect();
  const bytes = randomBytes(6 << 20);
  const [out] = a.offer([file('f', bytes)]);
  await when(() => out.acked > 1 << 20);
  const inn = b.transfers[0];
  out.pause();
  inn.pause();
  await settle(200);
  assert.equal(out.state, 'paused');
  assert.equal(inn.state, 'paused');
  const at = out.offset;
  inn.resume();
  await settle();
  assert.equal(out.pausedBy, 'me');
  assert.equal(inn.pausedBy, 'them');
  assert.equal(out.offset, at);
  cut(x);
  connect();
  await settle(100);
  assert.equal(out.state, 'paused', 'a pause outlives the connection');
  assert.equal(inn.state, 'paused');
  out.resume();
  await finished(a);
  assert.equal(out.state, 'done');
});

test('a slow disk slows the sender', async (t) => {
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  const slow = sink({ gate });
  const { a, connect } = pair(t, (transfer) => transfer.accept(slow));
  connect();
  const bytes = randomBytes(18 << 20);
  const [out] = a.offer([file('f', bytes)]);
  await when(() => out.offset > 15 << 20);
  await settle(300);
  assert.equal(out.acked, 0);
  assert.ok(out.offset <= 16 << 20, `${out.offset} bytes without an ack`);
  open();
  await finished(a);
  assert.ok(slow.bytes().equals(bytes));
});

test('a full disk is said to the sender', async (t) => {
  const err = Object.assign(new Error('quota'), { name: 'QuotaExceededError' });
  const { a, connect } = pair(t, (transfer) => transfer.accept(sink({ fail: err })));
  connect();
  const [out] = a.offer([file('f', randomBytes(1000))]);
  await finished(a);
  assert.equal(out.state, 'failed');
  assert.match(out.error, /space/);
});

test('a file that cannot be read any more', async (t) => {
  const { a, b, connect } = pair(t);
  connect();
  const broken = file('f', randomBytes(1000));
  broken.slice = () => ({ arrayBuffer: () => Promise.reject(new Error('gone')) });
  const [out] = a.offer([broken]);
  await Promise.all([finished(a), until(b, ['change'], () => b.transfers[0]?.finished)]);
  assert.match(out.error, /cannot be read/);
  assert.equal(b.transfers[0].state, 'failed');
});

test('more than sixteen wait in our own queue', async (t) => {
  const { a, b, connect } = pair(t, () => {});
  connect();
  const sent = a.offer(Array.from({ length: 20 }, (_, i) => file(`f${i}`, 'x')));
  await settle();
  assert.equal(sent.filter((x) => x.state === 'offered').length, 16);
  assert.equal(sent.filter((x) => x.state === 'queued').length, 4);
  assert.equal(b.transfers.length, 16);
  b.transfers[0].decline();
  await until(b, ['change'], () => b.transfers.length === 17);
});

const ID = 'ab'.repeat(16);
const chunk = (offset, n, id = ID) => {
  const m = new Uint8Array(24 + n);
  m.set(Buffer.from(id, 'hex'));
  new DataView(m.buffer).setBigUint64(16, BigInt(offset));
  return m;
};

function hostile(t) {
  const files = new Files();
  const [mine, theirs] = channelPair();
  files.attach(mine);
  const other = puppet(theirs);
  t.after(() => files.close('over'));
  return { files, ...other, mine };
}

test('frames that break the protocol end the conversation', async (t) => {
  const offer = { t: 'offer', id: ID, name: 'f', size: 10, mime: '' };
  const bad = [
    'no json', '[]', '{"x":1}', '"x"', 'null', `{"t":"x","pad":"${'y'.repeat(17000)}"}`,
    { ...offer, id: 'AB'.repeat(16) }, { ...offer, id: 5 }, { ...offer, name: '' }, { ...offer, name: 'x'.repeat(256) },
    { ...offer, name: '../x' }, { ...offer, name: 'a\\b' }, { ...offer, name: '..' }, { ...offer, name: 'a\u0000' },
    { ...offer, size: -1 }, { ...offer, size: 1.5 }, { ...offer, size: '1' }, { ...offer, size: 2 ** 53 }, { ...offer, mime: 7 },
    new Uint8Array(24), new Uint8Array((60 << 10) + 1),
  ];
  for (const frame of bad) {
    const { files, frames, say } = hostile(t);
    say(frame);
    await settle(5);
    assert.equal(frames.at(-1)?.t, 'error', `no error for ${JSON.stringify(frame)?.slice(0, 80)}`);
    assert.ok(files.broken);
    assert.equal(files.transfers.length, 0);
    files.close('over');
  }
});

test('chunks that break the protocol end their transfer, not the others', async (t) => {
  const OTHER = 'cd'.repeat(16);
  const cases = {
    'before accept': [chunk(0, 5)],
    gap: [{ accept: 1 }, chunk(0, 5), chunk(6, 1)],
    again: [{ accept: 1 }, chunk(0, 5), chunk(0, 5)],
    'beyond the end': [{ accept: 1 }, chunk(0, 11)],
    'early end': [{ accept: 1 }, chunk(0, 5), { t: 'end', id: ID, sha256: '0'.repeat(64) }],
    'no hash': [{ accept: 1 }, { t: 'end', id: ID, sha256: 'x' }],
  };
  for (const [what, steps] of Object.entries(cases)) {
    const { files, frames, say } = hostile(t);
    say({ t: 'offer', id: OTHER, name: 'other', size: 3, mime: '' });
    say({ t: 'offer', id: ID, name: 'f', size: 10, mime: '' });
    await settle(5);
    files.transfers[0].accept(sink());
    for (const step of steps) {
      if (step.accept) files.transfers[1].accept(sink());
      else say(step);
      await settle(5);
    }
    const cancel = frames.find((f) => f.t === 'cancel');
    assert.equal(cancel?.code, 'bad-frame', what);
    assert.equal(cancel.id, ID);
    assert.equal(files.transfers[1].state, 'failed');
    assert.equal(files.transfers[0].state, 'active', 'the other one goes on');
    say(chunk(0, 3, OTHER));
    say({ t: 'end', id: OTHER, sha256: sha(new Uint8Array(3)) });
    await settle(10);
    assert.equal(files.transfers[0].state, 'done', what);
    files.close('over');
  }
});

test('who ignores the window, or sends dust, is stopped', async (t) => {
  for (const [size, piece] of [[64 << 20, 48 << 10], [64 << 20, 1]]) {
    const { files, frames, say } = hostile(t);
    say({ t: 'offer', id: ID, name: 'f', size, mime: '' });
    await settle(5);
    files.transfers[0].accept(sink({ gate: new Promise(() => {}) }));
    const many = piece === 1 ? 20_000 : 400;
    for (let i = 0; i < many; i++) say(chunk(i * piece, piece));
    await until(files, ['change'], () => files.transfers[0].finished);
    assert.equal(files.transfers[0].state, 'failed');
    await settle();
    assert.equal(frames.find((f) => f.t === 'cancel').code, 'bad-frame');
    files.close('over');
  }
});

test('the seventeenth offer is busy, and a known id does not ask twice', async (t) => {
  const { files, frames, say } = hostile(t);
  let asked = 0;
  files.addEventListener('offer', () => asked++);
  for (let i = 0; i < 17; i++) say({ t: 'offer', id: i.toString(16).padStart(32, '0'), name: 'f', size: 1, mime: '' });
  say({ t: 'offer', id: '0'.repeat(32), name: 'f', size: 1, mime: '' });
  await settle();
  assert.equal(asked, 16);
  assert.deepEqual(frames.map((f) => f.code), ['busy']);
});

test('an id goes in one direction at a time', async (t) => {
  const { files, frames, say } = hostile(t);
  const [out] = files.offer([file('f', 'x')]);
  await settle();
  const theirs = { t: 'offer', id: out.id, name: 'g', size: 3, mime: '' };
  say(theirs);
  await settle();
  assert.deepEqual([frames[1].t, frames[1].id, frames[1].code], ['cancel', out.id, 'busy']);
  assert.equal(out.state, 'offered');
  assert.ok(!files.broken);
  say({ t: 'cancel', id: out.id, code: 'busy', message: '' });
  say(theirs); // ours waits in its queue, so now the id is free
  await settle();
  assert.equal(out.state, 'queued');
  assert.deepEqual(files.transfers.map((x) => [x.dir, x.state]), [['out', 'queued'], ['in', 'waiting']]);
  say({ t: 'pause', id: out.id });
  say({ t: 'cancel', id: out.id, code: 'cancelled', message: '' });
  await settle();
  assert.equal(files.transfers[1].state, 'cancelled');
  assert.equal(out.state, 'queued');
});

test('a name that is made to be read backwards is not', async (t) => {
  const { files, say } = hostile(t);
  say({ t: 'offer', id: ID, name: 'report\u202Efdp.exe', size: 1, mime: '' });
  await settle(5);
  assert.equal(files.transfers[0].name, 'reportfdp.exe');
});

test('a sender that looks at the window before a chunk is not stopped for it', async (t) => {
  const { files, say, frames } = hostile(t);
  const piece = (60 << 10) - 24;
  say({ t: 'offer', id: ID, name: 'f', size: 64 << 20, mime: '' });
  await settle(5);
  files.transfers[0].accept(sink({ gate: new Promise(() => {}) }));
  let at = 0;
  for (; at < 16 << 20; at += piece) say(chunk(at, piece));
  await when(() => files.transfers[0].offset === at);
  assert.equal(files.transfers[0].state, 'active');
  say(chunk(at, piece));
  await when(() => files.transfers[0].finished);
  await settle();
  assert.equal(frames.find((f) => f.t === 'cancel').code, 'bad-frame');
});

test('offers and cancels all day leave a bounded list', async (t) => {
  const { files, say } = hostile(t);
  for (let i = 0; i < 1000; i++) {
    const id = i.toString(16).padStart(32, '0');
    say({ t: 'offer', id, name: 'f', size: 1, mime: '' });
    say({ t: 'cancel', id, code: 'cancelled', message: '' });
  }
  await settle(400);
  assert.ok(files.transfers.length <= 217, `${files.transfers.length} kept`);
});

test('a receiver that acknowledges or accepts nonsense', async (t) => {
  for (const frame of [{ t: 'ack', offset: 999 }, { t: 'ack', offset: -1 }, { t: 'accept', offset: 101 }, { t: 'accept', offset: 'x' }]) {
    const { files, frames, say } = hostile(t);
    const [out] = files.offer([file('f', randomBytes(100))]);
    await settle(5);
    if (frame.t === 'ack') say({ t: 'accept', id: out.id, offset: 0 });
    say({ ...frame, id: out.id });
    await settle(5);
    assert.equal(out.state, 'failed', JSON.stringify(frame));
    assert.equal(frames.at(-1).code, 'bad-frame');
    files.close('over');
  }
});

test('a receiver that has the beginning already: it is hashed, not sent', async (t) => {
  const { files, frames, chunks, say } = hostile(t);
  const bytes = randomBytes(3 << 20);
  const [out] = files.offer([file('f', bytes)]);
  await settle(5);
  say({ t: 'accept', id: out.id, offset: 2 << 20 });
  await until(files, ['change'], () => out.state === 'verifying');
  await settle();
  assert.equal(frames.find((f) => f.t === 'end').sha256, sha(bytes));
  assert.equal(chunks.reduce((n, c) => n + c.length - 24, 0), 1 << 20);
});
