// @ts-check
// Throughput between two peers, as peer/PROTOCOL.md tells it: counted by the receiver, never by what a sender queued.
//
//   asker ── run ─▶ ◀─ ready ── then filler one way, ◀─ progress … end ─▶ ◀─ result
import { Conversation, intField, stringField } from './conversation.js';
import { Probe } from './probe.js';

const FILLER = new Uint8Array(48 << 10);
const PROGRESS = 200; // ms
const ANSWER = 10_000; // ms without an answer, or without a byte
const MAX_ID = 2 ** 31 - 1;

/** @typedef {{bytes: number, ms: number}} BenchResult counted by the receiver */
/** @typedef {{id: number, dir: 'send'|'receive', bytes: number, ms: number, rate: number}} BenchProgress dir: as seen from here; rate: bytes a second over the last step */
/** @typedef {import('./probe.js').PingStats} PingStats */

/**
 * @typedef {object} Run
 * @property {number} id
 * @property {boolean} mine we asked for it
 * @property {'send'|'receive'} dir as seen from here
 * @property {number} limit ms it was asked for
 * @property {'asked'|'moving'|'ending'} phase
 * @property {number} bytes received; or, when sending, what the other side says
 * @property {number} ms
 * @property {number} first when the first byte arrived
 * @property {number} reported when progress was told last
 * @property {BenchProgress|null} progress
 * @property {(result: BenchResult) => void} resolve
 * @property {(err: Error) => void} reject
 */

/** Fires 'progress' (detail: BenchProgress), 'rtt' (detail: {ms: number|null, lost: number}) and 'change'. */
export class Bench extends Conversation {
  /** the pings, on their own channel */
  probe = new Probe();
  /** of the last run, whoever asked @type {(BenchResult & {dir: 'send'|'receive'})|null} */
  result = null;

  #offerer;
  /** @type {Run|null} */
  #run = null;
  #nextId = 1 + Math.floor(Math.random() * 2 ** 20);
  /** gives up waiting @type {ReturnType<typeof setTimeout>|undefined} */
  #watch;
  /** ends the sending @type {ReturnType<typeof setTimeout>|undefined} */
  #deadline;

  /** @param {boolean} offerer of the link: its request goes first when two cross */
  constructor(offerer) {
    super();
    this.#offerer = offerer;
    this.probe.addEventListener('rtt', (e) => {
      this.dispatchEvent(new CustomEvent('rtt', { detail: /** @type {CustomEvent} */ (e).detail }));
    });
  }

  /** @returns {PingStats} */
  get ping() { return this.probe.stats; }

  /** A run is going on, ours or theirs. */
  get running() { return this.#run !== null; }

  /**
   * Measures one direction, as seen from here.
   * @param {{dir: 'send'|'receive', ms: number}} options ms: 100 to 30,000
   * @returns {Promise<BenchResult>} rejects when it is refused, cut, or nothing arrived
   */
  run({ dir, ms }) {
    if (!(ms >= 100 && ms <= 30_000)) return Promise.reject(new RangeError('A measurement takes 100 to 30,000 ms.'));
    if (!this.open) return Promise.reject(new Error('There is no connection.'));
    if (this.#run) return Promise.reject(new Error('A measurement is going on.'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#begin({ id, mine: true, dir, limit: ms, resolve, reject });
      this.sendFrame({ t: 'run', id, dir, ms: Math.round(ms) });
    });
  }

  /** Ends what goes on; what was measured until now is the result. */
  stop() {
    const run = this.#run;
    if (!run) return;
    if (run.phase === 'moving' && run.dir === 'send') return this.#endSending();
    this.sendFrame({ t: 'stop', id: run.id });
    if (run.phase === 'asked') this.#abandon('Stopped.');
  }

  /** @override */
  drained() { this.#fill(); }

  /** @override */
  cut() { this.#abandon('The connection was cut.'); }

  /** @override @param {string} message */
  failed(message) { this.#abandon(`The conversation ended: ${message}`); }

  /** @override @param {import('./conversation.js').Frame} frame */
  frame(frame) {
    if (!['run', 'ready', 'refuse', 'progress', 'end', 'result', 'stop'].includes(frame.t)) return;
    const id = intField(frame, 'id', 1, MAX_ID);
    if (frame.t === 'run') return this.#asked(id, frame);
    const run = this.#run;
    if (!run || run.id !== id) return; // about one that is over
    switch (frame.t) {
      case 'ready': return this.#ready(run);
      // The other side may have chosen the same id for a run of its own.
      case 'refuse':
        if (run.mine) this.#abandon(`Refused: ${stringField(frame, 'message', 0, 1000)}`);
        return;
      case 'progress': return this.#told(run, frame);
      case 'result': return this.#told(run, frame, true);
      case 'end': return this.#ended(run);
      case 'stop':
        if (run.dir === 'send' && run.phase === 'moving') this.#endSending();
        else if (run.phase === 'asked') this.#abandon('Stopped by the other side.');
    }
  }

  /** @override @param {Uint8Array} filler */
  binary(filler) {
    const run = this.#run;
    if (!run || run.dir !== 'receive' || run.phase === 'asked') return; // the rest of one that was given up
    const now = performance.now();
    if (run.bytes === 0) run.first = run.reported = now;
    run.bytes += filler.length;
    run.ms = now - run.first;
    this.#expect(ANSWER);
    if (run.ms > run.limit + ANSWER) return this.#abandon('The other side does not stop.');
    if (now - run.reported < PROGRESS) return;
    run.reported = now;
    this.sendFrame({ t: 'progress', id: run.id, bytes: run.bytes, ms: Math.round(run.ms) });
    this.#progressed(run);
  }

  /** @param {number} id @param {import('./conversation.js').Frame} frame */
  #asked(id, frame) {
    const dir = stringField(frame, 'dir', 1, 16);
    const ms = frame.ms;
    if ((dir !== 'send' && dir !== 'receive') || typeof ms !== 'number' || !(ms >= 100 && ms <= 30_000)) {
      this.sendFrame({ t: 'refuse', id, message: 'dir is send or receive, ms is 100 to 30000' });
      return;
    }
    // It has not heard our request yet, and will refuse it.
    if (!this.#offerer && this.#run?.mine && this.#run.phase === 'asked') this.#abandon('The other side asked at the same moment.');
    if (this.#run) {
      this.sendFrame({ t: 'refuse', id, message: 'a measurement is going on' });
      return;
    }
    const run = this.#begin({
      id, mine: false, dir: dir === 'send' ? 'receive' : 'send', limit: ms, resolve: () => {}, reject: () => {},
    });
    this.sendFrame({ t: 'ready', id });
    this.#move(run);
  }

  /** @param {Pick<Run, 'id'|'mine'|'dir'|'limit'|'resolve'|'reject'>} start */
  #begin(start) {
    /** @type {Run} */
    const run = { ...start, phase: 'asked', bytes: 0, ms: 0, first: 0, reported: 0, progress: null };
    this.#run = run;
    this.#expect(ANSWER);
    this.dispatchEvent(new CustomEvent('change'));
    return run;
  }

  /** @param {Run} run */
  #ready(run) {
    if (run.mine && run.phase === 'asked') this.#move(run);
  }

  /** @param {Run} run */
  #move(run) {
    run.phase = 'moving';
    this.#expect(ANSWER);
    if (run.dir === 'receive') return;
    this.#deadline = setTimeout(() => this.#endSending(), run.limit);
    this.#fill();
  }

  #fill() {
    while (this.#run?.dir === 'send' && this.#run.phase === 'moving' && this.hasRoom()) {
      if (!this.sendRaw(FILLER)) return;
    }
  }

  #endSending() {
    clearTimeout(this.#deadline);
    const run = this.#run;
    if (!run || run.phase !== 'moving') return;
    run.phase = 'ending';
    this.sendFrame({ t: 'end', id: run.id });
    this.#expect(ANSWER);
  }

  /** The receiver tells what it counted. @param {Run} run @param {import('./conversation.js').Frame} frame @param {boolean} [last] */
  #told(run, frame, last = false) {
    const bytes = intField(frame, 'bytes', 0, Number.MAX_SAFE_INTEGER);
    const ms = frame.ms;
    if (run.dir !== 'send' || run.phase === 'asked' || typeof ms !== 'number' || !(ms >= 0)) return;
    run.bytes = bytes;
    run.ms = ms;
    this.#expect(ANSWER);
    if (last) return this.#finish(run);
    this.#progressed(run);
  }

  /** The last of the filler arrived. @param {Run} run */
  #ended(run) {
    if (run.dir !== 'receive' || run.phase === 'asked') return;
    this.sendFrame({ t: 'result', id: run.id, bytes: run.bytes, ms: Math.round(run.ms) });
    this.#finish(run);
  }

  /** @param {Run} run */
  #progressed(run) {
    const before = run.progress ?? { bytes: 0, ms: 0 };
    const rate = run.ms > before.ms ? Math.max(0, ((run.bytes - before.bytes) * 1000) / (run.ms - before.ms)) : 0;
    run.progress = { id: run.id, dir: run.dir, bytes: run.bytes, ms: run.ms, rate };
    this.dispatchEvent(new CustomEvent('progress', { detail: run.progress }));
  }

  /** @param {Run} run */
  #finish(run) {
    const { bytes, ms, dir } = run;
    if (bytes === 0) return this.#abandon('Nothing arrived.');
    this.result = { bytes, ms, dir };
    this.#over();
    run.resolve({ bytes, ms });
  }

  /** @param {string} why */
  #abandon(why) {
    const run = this.#run;
    if (!run) return;
    this.#over();
    run.reject(new Error(why));
  }

  #over() {
    this.#run = null;
    clearTimeout(this.#watch);
    clearTimeout(this.#deadline);
    this.dispatchEvent(new CustomEvent('change'));
  }

  /** Something must happen within that time. @param {number} ms */
  #expect(ms) {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      const run = this.#run;
      if (!run) return;
      this.sendFrame({ t: 'stop', id: run.id });
      this.#abandon('The other side does not answer.');
    }, ms);
  }
}
