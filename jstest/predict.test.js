// The browser predicts what the Go program does, for each pair of sides there may be.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ruled } from '../static/js/inspect/natreason.js';
import { badge, bothNATs, inFull, needs } from '../static/js/inspect/natwords.js';
import { predict } from '../static/js/inspect/predict.js';

const table = JSON.parse(readFileSync(new URL('../nat/testdata/predictions.json', import.meta.url), 'utf8'));
const outcome = { d: 'direct', r: 'relayed', f: 'failed', u: 'unknown' };

test('predictions are those of nat.Predict', () => {
  assert.equal(table.sides.length, 27);
  table.sides.forEach((a, i) => table.sides.forEach((b, j) => {
    for (const [turn, rows] of [[false, table.stun], [true, table.turn]]) {
      const want = outcome[rows[i][j]];
      const got = predict(a, b, turn);
      assert.equal(got.outcome, want, `${JSON.stringify(a)} and ${JSON.stringify(b)}, TURN: ${turn}`);
      assert.equal(got.needs === null, want === 'direct' || got.reason === 'not-known');
    }
  }));
  assert.equal(predict(null, table.sides[2], true).outcome, 'unknown');
});

test('whatever a side may be, there are words for it', () => {
  for (const side of table.sides) {
    assert.match(inFull(side, 'browser'), /^[A-Z].*\.$/);
    assert.equal(badge(side) === '', side.mapping === 'unknown');
    for (const other of table.sides) {
      if ([side, other].some(({ mapping }) => mapping === 'unknown' || mapping === 'udp-blocked')) continue;
      const p = predict(side, other, true);
      assert.doesNotMatch(`${bothNATs(side, other, 'Ann')} ${needs(p, side, other, 'Ann')}`, /undefined|null|  /);
    }
  }
  assert.equal(badge(null), '');
  assert.equal(inFull(null, 'go'), '');
});

const nat = (mapping, filtering) => ({ mapping, ...(filtering && { filtering }) });
const symmetric = nat('address-and-port-dependent'), cone = nat('endpoint-independent', 'address-and-port-dependent'), like = nat('not-port-dependent');

test('two NATs in a sentence', () => {
  assert.equal(bothNATs(symmetric, symmetric, 'Ann'), "your NAT and Ann's are both symmetric");
  assert.equal(bothNATs(cone, cone, 'Ann'), "your NAT and Ann's are both port-restricted cones");
  assert.equal(bothNATs(symmetric, cone, 'Ann'), "your NAT is symmetric and Ann's is a port-restricted cone");
  assert.equal(bothNATs(nat('none'), like, 'Ann'), "you have no NAT and Ann's NAT is cone-like");
  assert.equal(bothNATs(like, nat('none', 'address-dependent'), 'Ann'), 'your NAT is cone-like and Ann has no NAT but a firewall');
  assert.equal(bothNATs(nat('none'), nat('none'), 'Ann'), 'neither you nor Ann is behind a NAT');
  assert.match(needs(predict(symmetric, cone, true), symmetric, cone, 'Ann'), /needs yours to keep the port .*, or Ann's to let in/);
  assert.match(needs(predict(cone, symmetric, true), cone, symmetric, 'Ann'), /needs Ann's to keep the port .*, or yours to let in/);
});

test('the rule beside what came of it', () => {
  assert.equal(ruled(symmetric, symmetric, false), 'No direct path comes about. So it is.');
  assert.equal(ruled(symmetric, symmetric, true), 'No direct path comes about. It came otherwise, and what is measured counts.');
  assert.equal(ruled(cone, cone, true), 'A direct path comes about. So it is.');
  assert.equal(ruled(symmetric, symmetric, null), 'No direct path comes about.');
  assert.equal(ruled(symmetric, like, false), 'It depends on what is not known of them.');
  assert.equal(ruled(null, symmetric, true), '');
});
