import { test } from 'node:test';
import assert from 'node:assert/strict';
import { MEMORY_LIMIT, openSink, sinkLimits } from '../static/js/net/sinks.js';

const named = (name) => Object.assign(new Error(name), { name });

/** A file handle as the browser gives it. */
function handle(name) {
  const parts = [];
  const state = { parts, closed: false, aborted: false };
  return {
    name, state,
    createWritable: async () => ({
      write: async (bytes) => { parts.push(bytes.slice()); },
      close: async () => { state.closed = true; },
      abort: async () => { state.aborted = true; },
    }),
    getFile: async () => new Blob(parts),
  };
}

/** The private disk of a browser. */
function opfs({ quota = 1e12, entries = {} } = {}) {
  const files = new Map(Object.entries(entries));
  const folder = {
    async *keys() { yield* [...files.keys()]; },
    async removeEntry(name) { files.delete(name); },
    async getFileHandle(name) { files.set(name, handle(name)); return files.get(name); },
  };
  return { files, storage: { estimate: async () => ({ quota, usage: 0 }), getDirectory: async () => ({ getDirectoryHandle: async () => folder }) } };
}

const bytes = (...values) => Uint8Array.from(values);

test('the picker comes first: straight to the file', async () => {
  const file = handle('chosen.bin');
  const sink = await openSink('f', 10, { showSaveFilePicker: async ({ suggestedName }) => { assert.equal(suggestedName, 'f'); return file; } });
  assert.equal(sink.kind, 'disk');
  assert.match(sink.where, /chosen\.bin/);
  await sink.write(bytes(1, 2));
  assert.equal(sink.offset, 2);
  assert.equal(await sink.close(), null);
  assert.ok(file.state.closed);
});

test('a picker that is closed says so; one that may not open leads to the next place', async () => {
  await assert.rejects(openSink('f', 1, { showSaveFilePicker: async () => { throw named('AbortError'); } }), { code: 'cancelled' });
  const { storage } = opfs();
  const sink = await openSink('f', 1, { showSaveFilePicker: async () => { throw named('SecurityError'); }, navigator: { storage } });
  assert.equal(sink.kind, 'browser');
});

test('the private disk: kept, given back, thrown away', async () => {
  const old = `${Date.now() - 2 * 24 * 3600 * 1000}-x`;
  const fresh = `${Date.now() - 1000}-y`;
  const { storage, files } = opfs({ entries: { [old]: 1, [fresh]: 1 } });
  const sink = await openSink('f', 3, { navigator: { storage } });
  assert.ok(!files.has(old) && files.has(fresh), 'what an earlier page left a day ago is gone');
  await sink.write(bytes(1, 2, 3));
  assert.deepEqual(new Uint8Array(await (await sink.close()).arrayBuffer()), bytes(1, 2, 3));
  const given = await openSink('g', 3, { navigator: { storage } });
  const count = files.size;
  await given.abort();
  assert.equal(files.size, count - 1);
});

test('no space: refused with figures when it is too large for memory too', async () => {
  const { storage } = opfs({ quota: 100 << 20 });
  await assert.rejects(openSink('f', 2 ** 31, { navigator: { storage } }), (err) => err.code === 'no-space' && /100 MiB/.test(err.message) && /2048 MiB/.test(err.message));
  assert.equal((await openSink('f', 200 << 20, { navigator: { storage } })).kind, 'memory');
});

test('a browser that refuses its disk, or cannot write to it, leaves memory', async () => {
  const refused = { estimate: async () => ({ quota: 1e12, usage: 0 }), getDirectory: async () => { throw named('SecurityError'); } };
  assert.equal((await openSink('f', 1, { navigator: { storage: refused } })).kind, 'memory');
});

test('memory: keeps the bytes, has a limit, and says why', async () => {
  const sink = await openSink('f', 40 << 20, {});
  const piece = new Uint8Array(8 << 20).fill(7);
  for (let i = 0; i < 5; i++) await sink.write(piece);
  assert.equal(sink.offset, 40 << 20);
  const blob = await sink.close();
  assert.equal(blob.size, 40 << 20);
  assert.equal(new Uint8Array(await blob.slice(33 << 20, (33 << 20) + 1).arrayBuffer())[0], 7);
  await assert.rejects(openSink('f', MEMORY_LIMIT + 1, {}), (err) => err.code === 'too-large' && /512 MiB/.test(err.message) && /https/.test(err.message));
});

test('what this browser can is told in words', () => {
  assert.equal(sinkLimits({ showSaveFilePicker: async () => {} }).kind, 'disk');
  assert.equal(sinkLimits({ navigator: opfs() }).kind, 'browser');
  assert.deepEqual([sinkLimits({}).kind, sinkLimits({}).max], ['memory', MEMORY_LIMIT]);
});
