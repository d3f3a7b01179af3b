// @ts-check
// What moves a run through the views: the stream of its events, the place in it, and a saved one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRun, decodeRun, limits } from '../static/js/run/document.js';
import { Player } from '../static/js/run/player.js';
import { Stream } from '../static/js/run/stream.js';

/** @typedef {import('../static/js/inspect/recorder.js').Event} Event */

/** @param {number} seq @param {number} [ms] @returns {Event} */
const note = (seq, ms = seq) => ({ seq, at_ns: ms * 1e6, kind: 'note', text: String(seq) });
const notes = (/** @type {number} */ from, /** @type {number} */ to) => Array.from({ length: to - from + 1 }, (_, i) => note(from + i));

/** An EventSource whose server is the test. */
class Source {
  readyState = 1;
  /** @type {Map<string, (e: any) => void>} */
  listeners = new Map();
  /** @param {string} url */
  constructor(url) { this.url = url; }
  /** @param {string} type @param {(e: any) => void} listener */
  addEventListener(type, listener) { this.listeners.set(type, listener); }
  close() { this.readyState = 2; }
  /** @param {string} type @param {unknown} [data] */
  send(type, data) { this.listeners.get(type)?.({ data: JSON.stringify(data) }); }
  /** @param {boolean} [refused] */
  fail(refused = false) {
    if (refused) this.readyState = 2;
    this.send('error');
  }
}

function streamed() {
  /** @type {Source[]} */
  const sources = [];
  /** @type {{work: () => void, ms: number}[]} */
  const timers = [];
  const stream = new Stream('/runs/x/events', {
    open: (url) => { const made = new Source(url); sources.push(made); return made; },
    timer: (work, ms) => void timers.push({ work, ms }),
  });
  /** @type {number[]} */
  const taken = [];
  /** @type {string[]} */
  const states = [];
  stream.addEventListener('events', (e) => taken.push(.../** @type {CustomEvent<Event[]>} */ (e).detail.map((event) => event.seq)));
  stream.addEventListener('state', (e) => states.push(/** @type {CustomEvent<string>} */ (e).detail));
  stream.start();
  return { stream, sources, timers, taken, states, again: () => timers.shift()?.work() };
}

test('each event is taken once, in order', () => {
  const { sources, taken } = streamed();
  sources[0].send('open');
  sources[0].send('events', notes(1, 3));
  sources[0].send('events', notes(2, 5)); // sent again around a cut that the browser mended
  assert.deepEqual(taken, [1, 2, 3, 4, 5]);
});

test('where one is missing it is asked for, and what came out of turn is not taken', () => {
  const { sources, taken, again } = streamed();
  sources[0].send('open');
  sources[0].send('events', notes(1, 2));
  sources[0].send('events', [note(3), note(5)]);
  assert.deepEqual([taken, sources[0].readyState], [[1, 2, 3], 2]);
  sources[0].send('events', notes(4, 6)); // the old source has nothing to say any more
  again();
  assert.equal(sources[1].url, '/runs/x/events?after=3');
  sources[1].send('events', notes(4, 6));
  assert.deepEqual(taken, [1, 2, 3, 4, 5, 6]);
});

test('a cut is mended by the browser; a refusal by us, later each time, and not for ever', () => {
  const { stream, sources, states, timers, again } = streamed();
  sources[0].send('open');
  sources[0].send('events', notes(1, 4));
  sources[0].fail();
  assert.deepEqual([sources.length, timers.length, stream.state], [1, 0, 'reconnecting']);
  sources[0].send('open');
  const waits = [];
  for (let i = 0; stream.state !== 'gone' && i < 20; i++) {
    sources[sources.length - 1].fail(true);
    if (timers[0]) waits.push(timers[0].ms);
    again();
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10000]);
  assert.equal(sources[1].url, '/runs/x/events?after=4');
  assert.deepEqual(states, ['open', 'reconnecting', 'open', 'reconnecting', 'gone']);
});

test('an opened source forgets the failures before it', () => {
  const { stream, sources, again } = streamed();
  for (let i = 0; i < 30; i++) {
    sources[sources.length - 1].send('open');
    sources[sources.length - 1].fail(true);
    again();
  }
  assert.notEqual(stream.state, 'gone');
});

test('the end is told with how the run stands, and nothing is asked for after it', () => {
  const { stream, sources, timers } = streamed();
  /** @type {string[]} */
  const told = [];
  stream.addEventListener('status', (e) => told.push(/** @type {CustomEvent<{state: string}>} */ (e).detail.state));
  sources[0].send('status', { state: 'running' });
  sources[0].send('end', { state: 'failed' });
  sources[0].fail(true);
  assert.deepEqual([told, stream.state, sources[0].readyState, timers.length], [['running', 'failed'], 'ended', 2, 0]);
});

test('a pause stops what is shown, not what comes', () => {
  const player = new Player();
  player.push(notes(1, 3));
  player.pause();
  player.push(notes(4, 9));
  assert.deepEqual([player.shown, player.behind, player.events.length], [3, 6, 9]);
  player.step(1);
  player.step(1);
  assert.deepEqual([player.shown, player.time, player.mode], [5, 5, 'paused']);
  player.step(-10);
  assert.deepEqual([player.shown, player.time], [0, 0]);
  player.step(99);
  assert.deepEqual([player.shown, player.mode], [9, 'paused']);
  player.toggle(); // nothing is behind: live again
  player.push([note(10)]);
  assert.deepEqual([player.shown, player.mode], [10, 'live']);
});

test('playing goes by the clock of the run, at its speed, to the end', () => {
  const player = new Player();
  player.push([0, 100, 200, 1000].map((ms, i) => note(i + 1, ms)));
  player.play();
  assert.deepEqual([player.shown, player.mode], [0, 'playing']);
  assert.equal(player.tick(150), true);
  assert.equal(player.shown, 2);
  player.speed = 10;
  player.tick(10);
  assert.deepEqual([player.shown, Math.round(player.now)], [3, 250]);
  player.pause();
  assert.equal(player.tick(1000), false);
  player.toggle();
  player.tick(100);
  assert.deepEqual([player.shown, player.mode], [4, 'live']);
});

test('time goes on while nothing happens, if the run does', () => {
  const player = new Player();
  player.push([note(1, 100)]);
  let drawn = 0;
  player.addEventListener('change', () => drawn++);
  player.advance(900);
  assert.deepEqual([player.now, drawn], [900, 1]);
  player.pause();
  player.advance(1200);
  assert.deepEqual([player.now, player.time], [100, 100]);
  player.live();
  player.advance(0);
  assert.equal(player.now, 100);
});

const saved = { id: 'r', lab: 'ice', params: { a: 1 }, network: {}, started: '2026-01-02T03:04:05Z', dropped: 2, events: [
  { seq: 1, at_ns: 0, kind: 'fact', layer: 'app', name: 'n', value: 1.5, unit: 'ms', attrs: { k: 'v' } }, { seq: 7, kind: 'note', at_ns: 5 }] };

test('a saved run comes back as it was', () => {
  assert.deepEqual(decodeRun(JSON.stringify(saved)), saved);
  assert.deepEqual(decodeRun('{}'), { id: '', lab: '', params: {}, network: {}, started: '', dropped: 0, events: [] });
});

test('what is no run is refused, and what is wrong is named', () => {
  /** @param {object} event */
  const of = (event) => JSON.stringify({ events: [event] });
  for (const [text, why] of [
    ['nonsense', 'not JSON'], ['[]', 'not a run'], ['null', 'not a run'], ['{"events":{}}', 'not a list'],
    [of({ seq: 1, kind: 'rumour' }), 'unknown kind "rumour"'], [of({ seq: 1, kind: 'note', layer: 'cake' }), 'unknown layer "cake"'],
    [of({ seq: 0, kind: 'note' }), 'must rise'], [of({ seq: 1.5, kind: 'note' }), 'not a whole number'], [of({ seq: -1, kind: 'note' }), 'not a whole number'],
    [of({ seq: 1, at_ns: -1, kind: 'note' }), 'must rise'], [of({ seq: '1', kind: 'note' }), 'not a number'],
    [of({ seq: 1, kind: 'note', text: {} }), 'text is not text'], [of({ seq: 1, kind: 'note', lost: 'yes' }), 'lost is neither'],
    [of({ seq: 1, kind: 'note', attrs: { a: 1 } }), 'attr "a" is not text'], [of({ seq: 1, kind: 'note', attrs: [] }), 'attrs is not an object'],
    [of({ seq: 1, kind: 'note', text: 'ü'.repeat(limits.text / 2 + 1) }), 'longer than'],
    [of({ seq: 1, kind: 'note', attrs: Object.fromEntries([...Array(65).keys()].map((i) => [`k${i}`, ''])) }), 'more than 64'],
    [JSON.stringify({ events: [note(2), note(1)] }), 'must rise'], [JSON.stringify({ started: 'yesterday' }), 'not a time'],
    [JSON.stringify({ params: [] }), 'params is not an object'], [JSON.stringify({ events: [null] }), 'Event 0 is not an object'],
  ]) {
    assert.throws(() => decodeRun(text), (err) => err instanceof BadRun && err.message.includes(why), `${text.slice(0, 60)}: ${why}`);
  }
});

test('names that the language itself has are only names', () => {
  const run = decodeRun('{"events":[{"seq":1,"kind":"state","from":"__proto__","name":"constructor","text":"x","attrs":{"__proto__":"y","toString":"z"}}]}');
  assert.equal(run.events[0].attrs?.toString, 'z');
});
