// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';
import { bytesOf, colours, lineAt, linesOf, where } from '../static/js/view/dissection.js';

const packet = {
  number: 1, hex: '4500001400004000401100',
  layers: [
    { name: 'IPv4', layer: 'ip', summary: 'a → b', at: 0, len: 8, fields: [{ name: 'version', value: '4', bit: 0, bits: 4 }, { name: 'header length', value: '5', note: '20 bytes', bit: 4, bits: 4 }, { name: 'total length', value: '20', bit: 16, bits: 16 }] },
    { name: 'UDP', layer: 'udp', summary: '1 → 2', at: 8, len: 3, fields: [] },
  ],
};

test('fields become lines with the bytes they are', () => {
  const lines = linesOf(packet);
  assert.deepEqual(lines.map((l) => [l.name, l.from, l.to, l.where]), [
    ['IPv4', 0, 8, '0–7'], ['version', 0, 1, '0, bits 0–3'], ['header length', 0, 1, '0, bits 4–7'], ['total length', 2, 4, '2–3'], ['UDP', 8, 11, '8–10'],
  ]);
});

test('a byte leads to the smallest field that has it, and to its layer where there is none', () => {
  const lines = linesOf(packet);
  assert.equal(lines[lineAt(lines, 0)].name, 'version');
  assert.equal(lines[lineAt(lines, 3)].name, 'total length');
  assert.equal(lines[lineAt(lines, 5)].name, 'IPv4');
  assert.equal(lines[lineAt(lines, 9)].name, 'UDP');
  assert.equal(lineAt(lines, 11), -1);
});

test('each byte has the colour of its innermost layer', () => {
  assert.deepEqual(colours(packet.layers, 12), [...Array(8).fill('ip'), ...Array(3).fill('udp'), '']);
  assert.equal(bytesOf(packet.hex).length, 11);
});

test('places are said in words', () => {
  assert.equal(where(0, 8), '0');
  assert.equal(where(51, 13), '6–7, 13 bits from bit 3');
  assert.equal(where(110, 1), '13, bit 6');
});
