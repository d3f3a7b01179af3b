// @ts-check
// What outgoing and incoming transfers have in common: who they are, how far they are, who paused them, how fast they go.

/** @typedef {'queued'|'offered'|'waiting'|'active'|'interrupted'|'verifying'|'done'|'failed'|'cancelled'|'declined'} Phase */
/** @typedef {Phase|'paused'} TransferState */
/** @typedef {'declined'|'cancelled'|'too-large'|'no-space'|'bad-hash'|'bad-frame'|'busy'|'failed'} CancelCode */

/**
 * What a transfer needs of the conversation it belongs to.
 * @typedef {object} Host
 * @property {() => boolean} open frames can be sent
 * @property {(frame: import('./conversation.js').Frame) => boolean} send
 * @property {() => void} changed something worth showing changed
 * @property {() => void} pump there may be something to send now
 */

export const CHUNK = 48 << 10; // bytes of the file in one message
export const HEADER = 24; // id and offset before them
export const WINDOW = 16 << 20; // bytes under way beyond the last ack

const FINISHED = new Set(['done', 'failed', 'cancelled', 'declined']);
// Weight of the newest quarter second in the rate: it follows a change within about two seconds.
const NEWEST = 0.15;
const STALLED = 100; // bytes a second: what is left of the mean when nothing moves any more
const DAY = 24 * 3600; // seconds; nobody wants to know beyond it

/** Common to both directions; see OutTransfer and InTransfer. */
export class Transfer {
  /** @type {string} */
  id;
  /** @type {'out'|'in'} */
  dir;
  /** @type {string} */
  name;
  /** bytes @type {number} */
  size;
  /** @type {string} */
  mime;
  /** bytes sent, or received */
  offset = 0;
  /** bytes known to be written at the receiver */
  acked = 0;
  /** bytes a second, smoothed, of what was written */
  rate = 0;
  /** '' until known */
  sha256 = '';
  /** '' or what went wrong */
  error = '';
  /** how it is kept, in words */
  where = '';
  /** blob: URL to save it from, or '' */
  url = '';

  /** @protected @type {Phase} */
  phase;
  /** what the other side was, or will be, told when it was given up @protected @type {CancelCode} */
  code = 'cancelled';
  /** @protected */
  pausedHere = false;
  /** @protected */
  pausedThere = false;
  /** @protected @type {Host} */
  host;
  #counted = 0;

  /** @param {{id: string, dir: 'out'|'in', name: string, size: number, mime: string, phase: Phase}} fields @param {Host} host */
  constructor({ id, dir, name, size, mime, phase }, host) {
    this.id = id;
    this.dir = dir;
    this.name = name;
    this.size = size;
    this.mime = mime;
    this.phase = phase;
    this.host = host;
  }

  /** @returns {TransferState} */
  get state() { return this.phase === 'active' && this.pausedBy ? 'paused' : this.phase; }

  /** @returns {'me'|'them'|null} */
  get pausedBy() {
    if (this.pausedHere) return 'me';
    return this.pausedThere ? 'them' : null;
  }

  /** Seconds to go, null while nobody can say. @returns {number|null} */
  get eta() {
    const seconds = this.state === 'active' && this.rate > 0 ? (this.size - this.acked) / this.rate : Infinity;
    return seconds < DAY ? seconds : null;
  }

  get finished() { return FINISHED.has(this.phase); }

  /** Stops it until resume is called, here. */
  pause() { this.#setPaused(true); }
  resume() { this.#setPaused(false); }

  /** Gives it up. */
  cancel() { this.give('cancelled', 'cancelled', ''); }

  /** An incoming one: yes. @param {import('./sinks.js').Sink} sink */
  accept(sink) { void sink; throw new Error('only an incoming transfer that waits can be accepted'); }
  /** An incoming one: no. */
  decline() { throw new Error('only an incoming transfer that waits can be declined'); }

  /** The other side paused it, or lets it go on. @param {boolean} paused */
  pausedRemotely(paused) {
    if (this.finished) return;
    this.pausedThere = paused;
    this.host.changed();
    this.host.pump();
  }

  /** The other side gave it up. @param {CancelCode} code @param {string} message */
  cancelledRemotely(code, message) {
    if (this.finished) return;
    if (code === 'declined') this.end('declined', '');
    else if (code === 'cancelled') this.end('cancelled', message || 'The other side cancelled it.');
    else this.end('failed', message || code);
  }

  /**
   * Ends it here and tells the other side.
   * @param {Phase} phase
   * @param {CancelCode} code
   * @param {string} message
   */
  give(phase, code, message) {
    if (this.finished) return;
    this.code = code;
    this.host.send({ t: 'cancel', id: this.id, code, message: message.slice(0, 1000) });
    this.end(phase, message);
  }

  /** The end, whatever way. @param {Phase} phase @param {string} error */
  end(phase, error) {
    if (this.finished) return;
    this.phase = phase;
    this.error = error;
    this.rate = 0;
    this.released();
    this.host.changed();
    this.host.pump();
  }

  /** The channel is gone: what was under way waits for the next. */
  cut() {
    this.pausedThere = false;
    this.rate = 0;
  }

  /** Updates the rate. @param {number} ms since the call before */
  tick(ms) {
    const bytes = Math.max(0, this.acked - this.#counted);
    this.#counted = this.acked;
    if (this.phase !== 'active') return;
    const now = (bytes * 1000) / ms;
    this.rate = this.rate === 0 ? now : this.rate + NEWEST * (now - this.rate);
    if (this.rate < STALLED) this.rate = 0;
    else this.host.changed();
  }

  /** Lets go of what it holds. @protected */
  released() {}

  /** @param {boolean} paused */
  #setPaused(paused) {
    if (this.finished || this.pausedHere === paused) return;
    this.pausedHere = paused;
    if (this.phase === 'active') this.tellPaused();
    this.host.changed();
    this.host.pump();
  }

  /** @protected */
  tellPaused() { this.host.send({ t: this.pausedHere ? 'pause' : 'resume', id: this.id }); }
}
