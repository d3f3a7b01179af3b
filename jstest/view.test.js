// @ts-check
// The parts of the pages that need no page: rows of the ladder, numbers in words, names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rows } from '../static/js/view/rows.js';
import { bytes, ms, rate, span } from '../static/js/page/format.js';
import { cleanName, inventedName } from '../static/js/page/names.js';
import { Recorder } from '../static/js/inspect/recorder.js';

function recorded() {
  let now = 0;
  const recorder = new Recorder({ now: () => now });
  return { recorder, at: (/** @type {number} */ t) => { now = t; } };
}

test('a ladder shows what concerns its lanes, in their order', () => {
  const { recorder, at } = recorded();
  recorder.message({ from: 'me', to: 'server', layer: 'app', name: 'join' });
  at(5);
  recorder.message({ from: 'Grace', to: 'me', layer: 'ice', name: 'check', text: 'a → b' });
  recorder.message({ from: 'Linus', to: 'me', layer: 'ice', name: 'check' });
  recorder.state({ from: 'me', layer: 'ice', name: 'ICE (Linus)', text: 'failed', attrs: { peer: 'Linus' } });
  recorder.state({ from: 'me', layer: 'dtls', name: 'DTLS (Grace)', text: 'connected', attrs: { peer: 'Grace' } });
  recorder.sample({ from: 'Grace', name: 'rtt', value: 3, unit: 'ms' });
  recorder.fact({ name: 'first byte', value: 212, unit: 'ms' });
  const rows = new Rows(['me', 'server', 'Grace'], new Set(), 'Grace');
  for (const event of recorder.events) rows.add(event);
  assert.deepEqual(rows.list.map((r) => [r.kind, r.from, r.to, r.text]), [
    ['arrow', 0, 1, 'join'],
    ['arrow', 2, 0, 'check a → b'],
    ['mark', 0, 0, 'connected'],
    ['mark', 0, 0, 'first byte = 212 ms'],
  ]);
});

test('layers can be hidden, silence is a row, a span tells how long it took', () => {
  const { recorder, at } = recorded();
  const end = recorder.span({ from: 'me', layer: 'ice', name: 'gathering' });
  recorder.note({ from: 'me', layer: 'dns', text: 'hidden' });
  at(2500);
  end('complete');
  const rows = new Rows(['me'], new Set(['dns']), '');
  for (const event of recorder.events) rows.add(event);
  assert.deepEqual(rows.list.map((r) => [r.kind, r.text]), [
    ['begin', 'gathering'],
    ['gap', '2.5 s of silence'],
    ['end', 'gathering complete, 2500 ms'],
  ]);
});

test('candidates are told briefly, descriptions not at all', () => {
  const { recorder } = recorded();
  recorder.message({ from: 'me', to: 'server', layer: 'ice', name: 'candidate', text: 'candidate:1 1 UDP 2122 192.0.2.5 50123 typ host generation 0' });
  recorder.message({ from: 'me', to: 'server', layer: 'ice', name: 'candidate', text: 'candidate:1 1 udp 2122 a3f9c2d1-aaaa-4bbb-9ccc-123456789abc.local 5 typ host' });
  recorder.message({ from: 'me', to: 'server', layer: 'app', name: 'offer', text: 'v=0\r\no=- 1 2\r\n' });
  const rows = new Rows(['me', 'server'], new Set(), '');
  for (const event of recorder.events) rows.add(event);
  assert.deepEqual(rows.list.map((r) => r.text), ['candidate host 192.0.2.5:50123 udp', 'candidate host a3f9c2d1….local:5 udp', 'offer']);
});

test('numbers have three digits that matter and a unit', () => {
  assert.deepEqual([0, 999, 999.6, 1500, 999_600, 3.4e9].map(bytes), ['0 B', '999 B', '1.00 kB', '1.50 kB', '1.00 MB', '3.40 GB']);
  assert.deepEqual([0, 125, 1.25e6].map(rate), ['0 bit/s', '1.00 kbit/s', '10.0 Mbit/s']);
  assert.deepEqual([0.44, 12.6, 12000].map(ms), ['0.4 ms', '13 ms', '12.0 s']);
  assert.deepEqual([0.2, 59, 61, 7260].map(span), ['under a second', '59 s', '1 min 1 s', '2 h 1 min']);
});

test('a name is what the server takes', () => {
  assert.equal(cleanName('  Ada\n\tL.  '), 'Ada  L.');
  assert.equal([...cleanName('🙂'.repeat(80))].length, 64);
  assert.equal(cleanName('\u0000\u0007'), '');
  const name = inventedName();
  assert.equal(cleanName(name), name);
});
