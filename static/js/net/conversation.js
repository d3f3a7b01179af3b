// @ts-check
// What the conversations on the data channels have in common: a channel that comes and goes with the sessions,
// JSON frames, and the end of it when the other side breaks the rules of peer/PROTOCOL.md.
import { Water } from './water.js';

/**
 * The part of RTCDataChannel that a conversation needs.
 * @typedef {EventTarget & {
 *   readonly readyState: string, readonly bufferedAmount: number, bufferedAmountLowThreshold: number,
 *   binaryType: string, send(data: any): void, close(): void }} Channel
 */
/** @typedef {Record<string, unknown> & {t: string}} Frame */

export const MAX_FRAME = 16 << 10; // bytes of a JSON frame
const MAX_BINARY = 60 << 10; // bytes of a binary message

/** What the other side said breaks the protocol; the message tells how. */
export class ProtocolError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'ProtocolError';
  }
}

/** @param {string} text */
const byteLength = (text) => new TextEncoder().encode(text).length;

/**
 * @param {string} text
 * @returns {Frame} throws ProtocolError
 */
function parseFrame(text) {
  if (text.length > MAX_FRAME || (text.length > MAX_FRAME / 3 && byteLength(text) > MAX_FRAME)) {
    throw new ProtocolError(`a frame of more than ${MAX_FRAME} bytes`);
  }
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError('a frame that is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ProtocolError('a frame that is no object');
  if (typeof value.t !== 'string') throw new ProtocolError('a frame without t');
  return value;
}

/**
 * A string field of a frame.
 * @param {Frame} frame
 * @param {string} field
 * @param {number} min characters
 * @param {number} max characters
 */
export function stringField(frame, field, min, max) {
  const value = frame[field];
  if (typeof value !== 'string') throw new ProtocolError(`${frame.t}: ${field} is not a string`);
  // A character is a code point; counting them all is only needed near the limit.
  const length = value.length <= max ? value.length : [...value].length;
  if (length < min || length > max) throw new ProtocolError(`${frame.t}: ${field} has ${length} characters, not ${min} to ${max}`);
  return value;
}

/**
 * A whole number of a frame.
 * @param {Frame} frame
 * @param {string} field
 * @param {number} min
 * @param {number} max
 */
export function intField(frame, field, min, max) {
  const value = frame[field];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new ProtocolError(`${frame.t}: ${field} is not a whole number from ${min} to ${max}`);
  }
  return value;
}

/** A conversation over one data channel after the other. Subclasses answer the hooks below. */
export class Conversation extends EventTarget {
  /** @type {Channel|null} */
  #channel = null;
  /** @type {AbortController|null} */
  #listeners = null;
  #water = new Water();
  /** why the conversation on this channel ended, '' while it goes on */
  broken = '';

  /** There is an open channel, and nobody broke the rules on it. */
  get open() { return this.#channel?.readyState === 'open' && !this.broken; }

  /** There is room for bulk data; if not, drained is called once there is. */
  hasRoom() {
    const channel = this.#channel;
    if (!channel) return false;
    channel.bufferedAmountLowThreshold = this.#water.low;
    return this.#water.hasRoom(channel.bufferedAmount, performance.now());
  }

  /**
   * Goes on over this channel. What was on the one before is cut.
   * @param {Channel} channel
   */
  attach(channel) {
    this.detach();
    this.#channel = channel;
    this.#listeners = new AbortController();
    const { signal } = this.#listeners;
    channel.binaryType = 'arraybuffer';
    this.#water.reset();
    channel.addEventListener('message', (e) => this.#receive(/** @type {MessageEvent} */ (e).data), { signal });
    channel.addEventListener('bufferedamountlow', () => {
      this.#water.look(channel.bufferedAmount, performance.now());
      if (this.open) this.drained();
    }, { signal });
    channel.addEventListener('close', () => this.detach(), { signal });
    channel.addEventListener('open', () => this.opened(), { signal });
    if (channel.readyState === 'open') this.opened();
  }

  /** The channel is gone, or about to be replaced. */
  detach() {
    if (!this.#channel) return;
    this.#listeners?.abort();
    this.#channel = null;
    this.broken = '';
    this.cut();
  }

  /**
   * @param {Frame} frame
   * @returns {boolean} false when there is no channel to send on
   */
  sendFrame(frame) { return this.sendRaw(JSON.stringify(frame)); }

  /**
   * @param {string|Uint8Array} data
   * @returns {boolean}
   */
  sendRaw(data) {
    if (!this.open) return false;
    try {
      this.#channel?.send(data);
      return true;
    } catch {
      // Closing, or the browser's own buffer is full; either is told by an event that is on its way.
      return false;
    }
  }

  /**
   * Ends the conversation on this channel: the other side does not keep to the protocol.
   * @param {string} message
   */
  fail(message) {
    if (this.broken) return;
    this.sendFrame({ t: 'error', message: message.slice(0, 1000) });
    this.#end(message);
  }

  /** the channel is open */
  opened() {}
  /** the channel is gone */
  cut() {}
  /** the conversation ended, though the channel is there @param {string} message */
  failed(message) { void message; }
  /** there is room again */
  drained() {}
  /** throws ProtocolError @param {Frame} frame */
  frame(frame) { void frame; }
  /** throws ProtocolError @param {Uint8Array} bytes */
  binary(bytes) { void bytes; throw new ProtocolError('a binary message'); }

  /** @param {string} message */
  #end(message) {
    this.broken = message;
    this.failed(message);
  }

  /** @param {unknown} data */
  #receive(data) {
    if (this.broken) return;
    try {
      if (typeof data === 'string') {
        const frame = parseFrame(data);
        if (frame.t === 'error') this.#end(`the other side ended it: ${String(frame.message).slice(0, 1000)}`);
        else this.frame(frame);
      } else if (data instanceof ArrayBuffer) {
        if (data.byteLength > MAX_BINARY) throw new ProtocolError(`a binary message of more than ${MAX_BINARY} bytes`);
        this.binary(new Uint8Array(data));
      }
    } catch (err) {
      if (!(err instanceof ProtocolError)) throw err;
      this.fail(err.message);
    }
  }
}
