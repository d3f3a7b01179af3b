// @ts-check
// What the views of a run draw, before it is drawn: lanes, rows, bars, plots, tables, packets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lanes, split } from '../static/js/run/lanes.js';
import { Documents } from '../static/js/view/documents.js';
import { Grids, tone } from '../static/js/view/grid.js';
import { dump, Packets } from '../static/js/view/packets.js';
import { figure, quantity } from '../static/js/view/quantity.js';
import { Range } from '../static/js/view/range.js';
import { Results } from '../static/js/view/results.js';
import { Rows } from '../static/js/view/rows.js';
import { after, Series, thin } from '../static/js/view/series.js';
import { Spans } from '../static/js/view/spans.js';
import { States } from '../static/js/view/states.js';

/** @typedef {import('../static/js/inspect/recorder.js').Event} Event */

let seq = 0;
/** @param {number} ms @param {Event['kind']} kind @param {Partial<Event>} fields @returns {Event} */
const at = (ms, kind, fields) => ({ seq: ++seq, at_ns: ms * 1e6, kind, ...fields });
/** @param {Event[]} events @param {Set<string>} [hidden] @param {Set<string>} [without] */
function rowsOf(events, hidden = new Set(), without = new Set()) {
  const rows = new Rows(null, hidden, '', without);
  for (const e of events) rows.add(e);
  return rows;
}

test('lanes of a variant stand together, in the order they turn up', () => {
  const lanes = new Lanes();
  for (const name of ['naive/client', 'fixed/client', 'naive/server', 'dns', 'fixed/server', 'naive/client']) lanes.add(name);
  assert.deepEqual(lanes.names, ['naive/client', 'fixed/client', 'naive/server', 'dns', 'fixed/server']);
  assert.deepEqual(lanes.order, { place: [0, 2, 1, 4, 3], count: 5 });
  assert.deepEqual(lanes.groups, [{ variant: 'naive', first: 0, last: 1 }, { variant: 'fixed', first: 2, last: 3 }]);
  assert.deepEqual([split('a/b/c'), split('/x'), split('')], [{ variant: 'a', name: 'b/c' }, { variant: '', name: '/x' }, { variant: '', name: '' }]);
});

test('a hidden variant gives its place to the others; a plain name may have a slash', () => {
  const lanes = new Lanes(['naive/a', 'fixed/a', 'naive/b'], new Set(['naive']));
  assert.deepEqual(lanes.order, { place: [-1, 0, -1], count: 1 });
  const plain = new Lanes(['me', 'a/b'], new Set(), true);
  assert.deepEqual([plain.order.place, plain.groups], [[0, 1], []]);
});

test('lanes grow as events come; what is on no lane stands across', () => {
  const rows = rowsOf([
    at(0, 'note', { text: 'begun' }),
    at(1, 'message', { from: 'naive/client', to: 'naive/server', layer: 'tcp', name: 'SYN' }),
    at(2, 'note', { from: 'naive', text: 'about the variant' }),
    at(3, 'note', { from: 'naive/server', text: 'on a lane' }),
    at(4, 'fact', { from: 'fixed', name: 'took', value: 12, unit: 'ms' }),
    at(5, 'sample', { from: 'naive/server', name: 'rate', value: 1 }),
    at(6, 'state', { from: 'naive/server', name: 'socket', text: 'open' }),
  ]);
  assert.deepEqual(rows.list.map((r) => [r.kind, r.variant, r.text]), [
    ['note', '', 'begun'], ['arrow', 'naive', 'SYN'], ['note', 'naive', 'about the variant'], ['mark', 'naive', 'on a lane'],
    ['note', 'fixed', 'took = 12 ms'], ['mark', 'naive', 'socket: open'],
  ]);
  assert.deepEqual(rows.lanes.names, ['naive/client', 'naive/server']);
});

test('a variant that is left out takes its rows and notes along', () => {
  const events = [
    at(0, 'message', { from: 'naive/a', to: 'naive/b', name: 'x' }), at(1, 'message', { from: 'fixed/a', to: 'fixed/b', name: 'y' }),
    at(2, 'note', { from: 'naive', text: 'n' }), at(3, 'note', { text: 'both' }),
  ];
  assert.deepEqual(rowsOf(events, new Set(), new Set(['naive'])).list.map((r) => r.text), ['y', 'both']);
});

test('what is lost, what is sent again and what took time is told apart', () => {
  const rows = rowsOf([
    at(0, 'message', { from: 'a', to: 'b', name: 'DATA', text: 'loss', lost: true, took_ns: 5 }),
    at(10, 'message', { from: 'a', to: 'b', name: 'DATA 1–100 · fast retransmission', text: 'fast retransmission', took_ns: 40e6 }),
    at(20, 'message', { from: 'a', to: 'b', name: 'retransmissions counted' }),
  ]);
  assert.deepEqual(rows.list.map((r) => [r.lost, r.again, r.arrive, r.text]), [
    [true, false, 0, 'DATA loss'], [false, true, 50, 'DATA 1–100 · fast retransmission'], [false, false, 20, 'retransmissions counted'],
  ]);
});

test('a moment lies between the rows before and after it', () => {
  const rows = rowsOf([0, 10, 20, 40].map((ms) => at(ms, 'message', { from: 'a', to: 'b', name: 'm', took_ns: 25e6 })));
  assert.deepEqual([-5, 0, 5, 10, 30, 40, 1000].map((ms) => rows.place(ms)), [0, 0, 0.5, 1, 2.5, 3.65, 3.65]);
  // An arrow of row 0 arrives at 25 ms, below row 2, so row 3 has to look back to row 1 (15 ms) at least.
  assert.equal(rows.reaching(3), 1);
  assert.equal(rows.reaching(0), 0);
});

test('rows that no arrow reaches are not looked back from', () => {
  const rows = rowsOf([...Array(1000).keys()].map((ms) => at(ms, 'message', { from: 'a', to: 'b', name: 'm' })));
  assert.equal(rows.reaching(500), 500);
});

test('spans nest within those that are open on their lane, and end', () => {
  const spans = new Spans();
  const begin = (/** @type {number} */ ms, /** @type {number} */ span, /** @type {string} */ from, /** @type {string} */ name) => spans.add(at(ms, 'span', { span, from, name }));
  begin(0, 1, 'client', 'request');
  begin(1, 2, 'client', 'dns');
  begin(3, 2, 'client', 'dns');
  begin(4, 3, 'client', 'connect');
  begin(5, 4, 'server', 'serve');
  begin(6, 3, 'client', 'connect');
  const client = spans.lines.filter((l) => l.kind === 'bar' && l.bar.lane === 'client').map((l) => (l.kind === 'bar' ? [l.bar.name, l.bar.depth, l.bar.begin, l.bar.end] : []));
  assert.deepEqual(client, [['request', 0, 0, null], ['dns', 1, 1, 3], ['connect', 1, 4, 6]]);
  assert.equal(spans.extent(99), 99); // request and serve go on
  begin(7, 1, 'client', 'request');
  begin(8, 4, 'server', 'serve');
  assert.equal(spans.extent(99), 8);
  assert.deepEqual(spans.lines.map((l) => (l.kind === 'lane' ? l.lane : `${l.bar.name} ${l.alone}`)), ['client', 'request false', 'dns false', 'connect false', 'serve true']);
});

test('spans that overlap without nesting are beside each other, until none is open', () => {
  const spans = new Spans();
  for (const [ms, span] of [[0, 1], [1, 2], [2, 1], [3, 3], [4, 2], [5, 3], [6, 4], [7, 5], [8, 5], [9, 4]]) spans.add(at(ms, 'span', { span, from: 'a', name: String(span) }));
  assert.deepEqual(spans.lines.flatMap((l) => (l.kind === 'bar' ? [l.bar.depth] : [])), [0, 0, 0, 0, 1]);
});

test('samples of one unit share a plot; without a unit those of one name', () => {
  const series = new Series();
  for (const [from, name, unit] of [['a', 'rate', 'B/s'], ['b', 'rate', 'B/s'], ['a', 'limit, soft', 'B/s'], ['b', 'limit, soft', 'B/s'], ['a', 'level', ''], ['a', 'depth', ''], ['b', 'level', '']]) {
    series.add(at(1000, 'sample', { from, name, unit, value: 1 }));
  }
  assert.deepEqual(series.plots.map((p) => [p.title, p.unit, p.lines.map((l) => l.label)]), [
    ['rate, limit, soft', 'B/s', ['a rate', 'b rate', 'a limit, soft', 'b limit, soft']], ['level', '', ['a level', 'b level']], ['depth', '', ['a depth']],
  ]);
  assert.deepEqual(series.plots[0].lines[0].samples, [{ at: 1, value: 1 }]);
});

test('what is measured against another quantity has a plot of its own, in the order of that', () => {
  const series = new Series();
  const point = (/** @type {number} */ x, /** @type {number} */ value) => ({ seq: 1, at_ns: 1e9, kind: /** @type {const} */ ('sample'), name: 'lost', unit: 'ms', value, attrs: { against: 'delay', x: String(x), 'x-unit': 'ms' } });
  for (const event of [point(20, 80), point(80, 320), point(5, 22), { seq: 4, at_ns: 2e9, kind: /** @type {const} */ ('sample'), name: 'request', unit: 'ms', value: 3 }]) series.add(event);
  assert.deepEqual(series.plots.map((p) => [p.title, p.against]), [['lost', { name: 'delay', unit: 'ms' }], ['request', null]]);
  assert.deepEqual(series.plots[0].lines[0].samples, [{ at: 5, value: 22 }, { at: 20, value: 80 }, { at: 80, value: 320 }]);
  assert.deepEqual(series.plots[1].lines[0].samples, [{ at: 2, value: 3 }]);
});

test('lines too many for one plot have one for each name; what is counted holds until it changes', () => {
  const series = new Series();
  for (const name of ['open', 'idle', 'gone']) for (const from of ['a', 'b', 'c']) series.add(at(1000, 'sample', { from, name, unit: 'sockets', value: 2 }));
  series.add(at(1000, 'sample', { from: 'a', name: 'took', unit: 'ms', value: 2 }));
  series.add(at(1000, 'sample', { from: 'a', name: 'rate', unit: 'kB/s', value: 2 }));
  series.add(at(1001, 'sample', { from: 'a', name: 'rate', unit: 'kB/s', value: 2.5 }));
  assert.deepEqual(series.plots.map((p) => [p.title, p.lines.length, p.held]), [['open', 3, true], ['idle', 3, true], ['gone', 3, true], ['took', 1, false], ['rate', 1, false]]);
});

test('a thinned line keeps its peaks, its order and its ends', () => {
  const samples = [...Array(10_000).keys()].map((i) => ({ at: i / 100, value: i === 5123 ? 99 : i === 7001 ? -99 : Math.sin(i) }));
  const thinned = thin(samples, 0, 100, 200);
  assert.ok(thinned.length <= 402, `${thinned.length}`);
  assert.deepEqual([Math.max(...thinned.map((s) => s.value)), Math.min(...thinned.map((s) => s.value))], [99, -99]);
  assert.ok(thinned.every((s, i) => i === 0 || s.at > thinned[i - 1].at));
  assert.deepEqual(thin(samples, 50, 50.02, 200).map((s) => s.at), [50, 50.01, 50.02, 50.03]);
  assert.deepEqual(thin([], 0, 1, 10), []);
  assert.equal(after(samples, 1), 101);
});

test('a stretch of time stays within the run, whatever is pressed', () => {
  const range = new Range();
  range.grow(1000);
  assert.deepEqual([range.from, range.to, range.whole], [0, 1000, true]);
  range.zoom(4, 100);
  assert.deepEqual([range.from, range.to], [75, 325]);
  range.pan(-1);
  assert.deepEqual([range.from, range.to], [0, 250]);
  range.grow(2000);
  assert.deepEqual([range.from, range.to], [0, 250]);
  range.pan(100);
  assert.deepEqual([range.from, range.to], [1750, 2000]);
  assert.deepEqual(range.ticks(5), [1750, 1800, 1850, 1900, 1950, 2000]);
  range.zoom(0.01);
  assert.equal(range.whole, true);
  for (let i = 0; i < 100; i++) range.zoom(10);
  assert.ok(range.to - range.from >= 0.001);
});

test('states hold what is so now; addresses for commands are none', () => {
  const states = new States();
  for (const [from, name, text] of [['naive/server', 'socket', 'open'], ['fixed/server', 'socket', 'open'], ['naive/server', 'conns', '3'], ['naive/server', 'socket', ''], ['fixed/server', 'socket', 'closed'], ['outside', 'port', '80']]) {
    states.add(at(1, 'state', { from, name, text }));
  }
  assert.deepEqual(states.columns.map((c) => [c.variant, c.tables.map((t) => [t.name, t.keys.map(([k, v]) => `${k}=${v.value} ${v.changes}`)])]), [
    ['naive', [['server', ['conns=3 1']]]], ['fixed', [['server', ['socket=closed 2']]]],
  ]);
});

test('a later fact replaces an earlier one, and variants share a card', () => {
  const results = new Results();
  for (const from of ['naive/client', 'fixed/client']) results.add(at(0, 'span', { from, name: 'begin' }));
  for (const [from, value] of [['fixed', 2], ['naive', 1], ['naive', 3]]) results.add(at(1, 'fact', { from: String(from), name: 'took', value: Number(value), unit: 'ms' }));
  results.add(at(2, 'fact', { name: 'sum', value: 5 }));
  assert.deepEqual(results.cards.map((c) => [c.name, c.results.map((r) => [r.who, r.value])]), [['took', [['naive', 3], ['fixed', 2]]], ['sum', [['', 5]]]]);
});

test('variants stand in the same order on every card', () => {
  const results = new Results();
  results.add(at(1, 'state', { from: 'naive/server', name: 'socket', text: 'listens' }));
  for (const [name, from] of [['late', 'fixed'], ['late', 'naive'], ['sum', 'naive'], ['sum', 'fixed']]) results.add(at(2, 'fact', { from, name, value: 1 }));
  assert.deepEqual(results.cards.map((c) => c.results.map((r) => r.who)), [['naive', 'fixed'], ['naive', 'fixed']]);
});

test('packets are found by every word, and counted', () => {
  const packets = new Packets();
  packets.add(at(1, 'message', { from: 'client', to: 'server', layer: 'tcp', name: 'SYN', attrs: { win: '64240' } }));
  packets.add(at(2, 'message', { from: 'client', to: 'server', layer: 'tcp', name: 'SYN', text: 'retransmission' }));
  packets.add(at(3, 'message', { from: 'server', to: 'client', layer: 'tcp', name: 'SYN ACK', lost: true }));
  packets.add(at(4, 'note', { text: 'SYN' }));
  assert.deepEqual([packets.list.length, packets.lost, packets.again], [3, 1, 1]);
  assert.deepEqual(['syn', 'Server ack', '64240', 'lost', 'nothing', ' '].map((q) => packets.find(q).map((p) => p.number)), [[1, 2, 3], [3], [1], [3], [], [1, 2, 3]]);
});

test('bytes are dumped in lines of sixteen; what is no bytes is not', () => {
  assert.equal(dump('474554202f20485454502f312e310d0a 0a'), '0000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 31 0d 0a  GET / HTTP/1.1··\n0010  0a                                               ·');
  assert.deepEqual(['', 'abc', 'zz', '0x12'].map(dump), ['', '', '', '']);
});

test('numbers have their unit; the pages in Go say the same', () => {
  for (const [value, unit, want] of /** @type {[number, string, string][]} */ ([
    [0, '', '0'], [7, 'clients', '7 clients'], [1234567, '', '1\u2009234\u2009567'], [0.5, '%', '0.5 %'], [12.34, 'req/s', '12.3 req/s'],
    [-3.14159, '', '-3.14'], [123.4, 'ms', '123 ms'], [12345, 'ms', '12.3 s'], [0.0123, 'ms', '12.3 µs'], [0, 'ms', '0 ms'],
    [0, 's', '0 s'], [0.25, 's', '250 ms'], [90, 's', '90 s'], [1500, 'ns', '1.5 µs'], [1500, 'us', '1.5 ms'], [999, 'B', '999 B'],
    [1500, 'B', '1.5 kB'], [2.5e9, 'B/s', '2.5 GB/s'], [1234, 'kbit/s', '1.23 Mbit/s'], [1e6, 'bit/s', '1 Mbit/s'], [-0.0001, '', '0'], [40000, 'port', '40000'],
  ])) assert.equal(quantity(value, unit), want, `${value} ${unit}`);
  assert.equal(figure(1e21), '1e+21');
  assert.equal(quantity(NaN, 'ms'), '–');
});

test('cells make a table for each variant, in the order they turn up', () => {
  const grids = new Grids();
  const cell = (/** @type {string} */ from, /** @type {string} */ name, /** @type {string} */ text) => grids.add({ seq: 1, at_ns: 0, kind: 'state', from, name, text, attrs: { grid: 'cell' } });
  cell('a/cone', 'open', '…');
  cell('a/cone', 'open', 'direct 0.2 s');
  cell('a/symmetric', 'cone', '…');
  cell('b/cone', 'open', 'failed');
  assert.equal(grids.add({ seq: 2, at_ns: 0, kind: 'state', from: 'a', name: 'x', text: 'y' }), false);
  const [a, b] = grids.all;
  assert.deepEqual([a.variant, a.rows, a.columns, a.done], ['a', ['cone', 'symmetric'], ['open', 'cone'], 1]);
  assert.equal(a.cell('cone', 'open')?.text, 'direct 0.2 s');
  assert.equal(a.cell('symmetric', 'open'), undefined);
  assert.deepEqual([b.variant, b.done], ['b', 1]);
  assert.deepEqual(['direct 1 s', 'relayed', 'failed', '…', 'directly', '12 ms'].map(tone), ['direct', 'relayed', 'failed', 'busy', 'plain', 'plain']);
});

test('lines make documents, and are no states', () => {
  const documents = new Documents(), states = new States();
  const line = (/** @type {string} */ from, /** @type {string} */ name, /** @type {string} */ text) => at(1, 'state', { from, name, text, attrs: { line: 'explained' } });
  for (const e of [line('plain/offer', 'v=0', 'The version.'), line('plain/answer', 'v=0', 'The same.'), line('plain/offer', 's=-', 'No name.'), line('plain/offer', 'v=0', 'Once more.')]) {
    assert.equal(documents.add(e), true);
    assert.equal(states.add(e), false);
  }
  assert.equal(documents.add(at(2, 'state', { from: 'a', name: 'x', text: 'y' })), false);
  assert.deepEqual(documents.all, [
    { name: 'plain/offer', lines: [['v=0', 'Once more.'], ['s=-', 'No name.']] }, { name: 'plain/answer', lines: [['v=0', 'The same.']] },
  ]);
});
