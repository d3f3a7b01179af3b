import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Bench } from '../static/js/net/bench.js';
import { Conversation } from '../static/js/net/conversation.js';
import { FIRST_WATER, MAX_WATER, MIN_WATER } from '../static/js/net/water.js';

const CHUNK = new Uint8Array(48 << 10);

/** A channel that sends at a rate, a millisecond at a time, on a clock that `pass` moves. */
class SlowChannel extends EventTarget {
  readyState = 'open';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  rate; // bytes a ms
  most = 0;
  sent = 0;
  constructor(rate) { super(); this.rate = rate; }
  send(data) {
    this.bufferedAmount += data.length;
    this.most = Math.max(this.most, this.bufferedAmount);
  }
  close() {}
  step() {
    const before = this.bufferedAmount;
    this.bufferedAmount = Math.max(0, before - this.rate);
    this.sent += before - this.bufferedAmount;
    const low = this.bufferedAmountLowThreshold;
    if (before > low && this.bufferedAmount <= low) this.dispatchEvent(new Event('bufferedamountlow'));
  }
}

class Bulk extends Conversation {
  opened() { this.drained(); }
  drained() { while (this.hasRoom()) this.sendRaw(CHUNK); }
}

function clock(t) {
  const real = performance.now;
  let now = 1000;
  performance.now = () => now;
  t.after(() => { performance.now = real; });
  return (channel, ms, every = () => {}) => { for (let i = 0; i < ms; i++) { now++; channel.step(); every(i); } };
}

const Mbit = 125; // bytes a ms
// At each rate: the longest that a byte may wait once it has settled, ms.
for (const [rate, longest] of [[1, 1000], [2, 500], [10, 300], [100, 300]]) {
  test(`water: at ${rate} Mbit/s what waits is soon gone, and the channel never runs dry`, (t) => {
    const pass = clock(t);
    const bulk = new Bulk();
    const channel = new SlowChannel(rate * Mbit);
    bulk.attach(channel);
    assert.ok(channel.bufferedAmount >= FIRST_WATER);
    pass(channel, 5000);
    channel.most = channel.sent = 0;
    pass(channel, 10_000, (i) => { if (i % 7 === 0) bulk.drained(); }); // acks have us look all the time
    assert.ok(channel.most / channel.rate <= longest, `${channel.most / channel.rate} ms`);
    assert.equal(channel.sent, channel.rate * 10_000);
  });
}

test('water: it follows a path that changes, within its limits', (t) => {
  const pass = clock(t);
  const bulk = new Bulk();
  const channel = new SlowChannel(1000 * Mbit);
  bulk.attach(channel);
  for (const [rate, from, to] of [[1000, MAX_WATER, MAX_WATER], [10, 200_000, 300_000], [0.1, MIN_WATER, MIN_WATER], [1000, MAX_WATER, MAX_WATER]]) {
    channel.rate = rate * Mbit;
    pass(channel, 30_000);
    channel.most = 0;
    pass(channel, 10_000);
    assert.ok(channel.most >= from && channel.most < to + CHUNK.length, `${channel.most} bytes at ${rate} Mbit/s`);
  }
});

test('water: the mark survives the channel, what it waited for does not', (t) => {
  const pass = clock(t);
  const bulk = new Bulk();
  const slow = new SlowChannel(10 * Mbit);
  bulk.attach(slow);
  pass(slow, 5000);
  bulk.detach();
  pass(slow, 60_000); // nobody is connected
  const next = new SlowChannel(10 * Mbit);
  bulk.attach(next);
  pass(next, 1000);
  assert.ok(next.most > 200_000 && next.most < 350_000, `${next.most}`);
});

test('water: a bench fills a slow channel no further', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pass = clock(t);
  const bench = new Bench(true);
  const channel = new SlowChannel(10 * Mbit);
  bench.attach(channel);
  channel.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ t: 'run', id: 1, dir: 'receive', ms: 30_000 }) }));
  pass(channel, 3000);
  channel.most = 0;
  pass(channel, 3000);
  assert.ok(channel.most > 100_000 && channel.most / channel.rate < 300, `${channel.most / channel.rate} ms`);
  bench.detach();
});
