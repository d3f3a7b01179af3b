// @ts-check
// Where an incoming file goes: a file the user picks, the browser's private disk (OPFS), or memory.
// The first two need a secure context, https or localhost; memory has a limit, and what is above it is refused.

/**
 * @typedef {object} Sink
 * @property {'disk'|'browser'|'memory'} kind
 * @property {string} where in words
 * @property {number} offset bytes written where they outlive a lost connection
 * @property {(bytes: Uint8Array) => Promise<void>} write
 * @property {() => Promise<Blob|null>} close done; the Blob to save, null when it already is where the user wants it
 * @property {() => Promise<void>} abort throw it away
 */

/**
 * @typedef {object} SinkLimits
 * @property {'disk'|'browser'|'memory'} kind the best this browser can do
 * @property {number} max bytes; Infinity when the disk is the limit
 * @property {string} text the same in words
 */

/**
 * What of the browser is used here; the tests bring their own.
 * @typedef {object} Environment
 * @property {(options: {suggestedName: string}) => Promise<FileSystemFileHandle>} [showSaveFilePicker]
 * @property {{storage?: StorageManager}} [navigator]
 */

/** The largest file that is kept in memory, bytes. */
export const MEMORY_LIMIT = 512 << 20;
const MIB = 1 << 20;
const FOLDER = 'peerlab';
const STALE = 24 * 3600 * 1000; // ms: what another page left behind that long ago is thrown away

/** Why there is no place for a file. */
export class SinkError extends Error {
  /** @param {'cancelled'|'too-large'|'no-space'} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.name = 'SinkError';
    this.code = code;
  }
}

/** @param {Environment} env */
const hasPicker = (env) => typeof env.showSaveFilePicker === 'function';
/** @param {Environment} env */
const hasOpfs = (env) => typeof env.navigator?.storage?.getDirectory === 'function';

/**
 * Picks the best place there is. Where it shows the picker it needs a user's click.
 * @param {string} name
 * @param {number} size bytes
 * @param {Environment} [env]
 * @returns {Promise<Sink>} rejects with a SinkError that says why
 */
export async function openSink(name, size, env = /** @type {Environment} */ (globalThis)) {
  if (hasPicker(env)) {
    const sink = await pickedFile(name, env);
    if (sink) return sink;
  }
  if (hasOpfs(env)) {
    const sink = await browserFile(size, env);
    if (sink) return sink;
  }
  if (size <= MEMORY_LIMIT) return memory();
  throw new SinkError('too-large', `${sinkLimits(env).text} This file is ${Math.ceil(size / MIB)} MiB.`);
}

/**
 * What this browser can do.
 * @param {Environment} [env]
 * @returns {SinkLimits}
 */
export function sinkLimits(env = /** @type {Environment} */ (globalThis)) {
  if (hasPicker(env)) return { kind: 'disk', max: Infinity, text: 'Files are written straight to where you save them.' };
  if (hasOpfs(env)) {
    return { kind: 'browser', max: Infinity, text: "Files are kept in this browser's own storage until you save them; its quota is the limit." };
  }
  return {
    kind: 'memory', max: MEMORY_LIMIT,
    text: `This page can keep files up to ${MEMORY_LIMIT / MIB} MiB, in memory: writing to disk needs https or localhost.`,
  };
}

/**
 * A file the user picks.
 * @param {string} name
 * @param {Environment} env
 * @returns {Promise<Sink|null>} null when the browser will not show the picker now
 */
async function pickedFile(name, env) {
  try {
    const handle = await /** @type {NonNullable<Environment['showSaveFilePicker']>} */ (env.showSaveFilePicker)({ suggestedName: name });
    return new WritableSink('disk', `saved as ${handle.name}`, await handle.createWritable(), async () => null);
  } catch (err) {
    const why = /** @type {Error} */ (err).name;
    if (why === 'AbortError') throw new SinkError('cancelled', 'No place to save it was chosen.');
    if (why === 'SecurityError' || why === 'NotAllowedError') return null; // no click, or a frame that may not
    throw new SinkError('no-space', `That file cannot be written: ${/** @type {Error} */ (err).message}`);
  }
}

/**
 * A file on the browser's private disk.
 * @param {number} size
 * @param {Environment} env
 * @returns {Promise<Sink|null>} null where the browser has none to write to
 */
async function browserFile(size, env) {
  const storage = /** @type {StorageManager} */ (env.navigator?.storage);
  const { quota = 0, usage = 0 } = await storage.estimate();
  if (quota - usage < size) {
    if (size <= MEMORY_LIMIT) return null;
    throw new SinkError('no-space', `The browser lends this page ${Math.floor((quota - usage) / MIB)} MiB of disk, the file needs ${Math.ceil(size / MIB)} MiB.`);
  }
  try {
    const folder = await (await storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
    await sweep(folder);
    const name = `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    const handle = await folder.getFileHandle(name, { create: true });
    if (typeof handle.createWritable !== 'function') return null;
    const remove = () => folder.removeEntry(name);
    return new WritableSink('browser', "kept in this browser's own storage", await handle.createWritable(), () => handle.getFile(), remove);
  } catch {
    return null; // private windows of some browsers say no at any of these steps
  }
}

/** Throws away what earlier pages left behind. @param {FileSystemDirectoryHandle} folder */
async function sweep(folder) {
  const names = [];
  for await (const name of folder.keys()) names.push(name);
  for (const name of names) {
    if (Date.now() - Number.parseInt(name, 10) > STALE) await folder.removeEntry(name).catch(() => {}); // another page has it open
  }
}

/** Bytes into a writable file, one write after the other. @implements {Sink} */
class WritableSink {
  offset = 0;
  #stream;
  #result;
  #remove;

  /**
   * @param {'disk'|'browser'} kind
   * @param {string} where
   * @param {FileSystemWritableFileStream} stream
   * @param {() => Promise<Blob|null>} result
   * @param {() => Promise<void>} [remove]
   */
  constructor(kind, where, stream, result, remove) {
    this.kind = kind;
    this.where = where;
    this.#stream = stream;
    this.#result = result;
    this.#remove = remove;
  }

  /** @param {Uint8Array} bytes */
  async write(bytes) {
    await this.#stream.write(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
    this.offset += bytes.length;
  }

  async close() {
    await this.#stream.close();
    return this.#result();
  }

  async abort() {
    await this.#stream.abort();
    await this.#remove?.();
  }
}

/** In memory. @returns {Sink} */
function memory() {
  /** @type {BlobPart[]} */
  let parts = [];
  let loose = 0;
  return {
    kind: 'memory',
    where: 'kept in memory until you save it',
    offset: 0,
    async write(bytes) {
      parts.push(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
      this.offset += bytes.length;
      loose += bytes.length;
      // A browser may move a large Blob out of memory; loose arrays it cannot.
      if (loose > 16 * MIB) {
        parts = [new Blob(parts)];
        loose = 0;
      }
    },
    async close() { return new Blob(parts); },
    async abort() { parts = []; },
  };
}
