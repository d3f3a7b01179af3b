import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Sha256 } from '../static/js/net/sha256.js';

// FIPS 180-4 examples, as NIST publishes them.
const vectors = [
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
  ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
];

test('NIST vectors', () => {
  for (const [text, want] of vectors) {
    assert.equal(new Sha256().update(new TextEncoder().encode(text)).hex(), want);
  }
});

test('any length, in any pieces, as node has it', () => {
  for (let length = 0; length < 300; length++) {
    const bytes = randomBytes(length);
    const hash = new Sha256();
    for (let at = 0; at < length;) {
      const step = 1 + Math.floor(Math.random() * 100);
      hash.update(bytes.subarray(at, at + step));
      at += step;
    }
    assert.equal(hash.hex(), createHash('sha256').update(bytes).digest('hex'), `length ${length}`);
    assert.equal(hash.length, length);
  }
});

test('hex again is the same, update after it is refused', () => {
  const hash = new Sha256().update(new Uint8Array(3));
  assert.equal(hash.hex(), hash.hex());
  assert.throws(() => hash.update(new Uint8Array(1)));
});

test('more than 512 MiB: the length is told in 64 bits', () => {
  const hash = new Sha256();
  const node = createHash('sha256');
  const piece = new Uint8Array(1 << 20);
  for (let i = 0; i < 513; i++) { hash.update(piece); node.update(piece); }
  assert.equal(hash.hex(), node.digest('hex'));
});
