// @ts-check
// Chat over the data channel 'chat', as peer/PROTOCOL.md tells it. What was not confirmed is said again on the next
// session's channel, and shown once.
import { Conversation, MAX_FRAME, stringField } from './conversation.js';
import { randomId } from './id.js';

/**
 * @typedef {object} ChatMessage
 * @property {string} id
 * @property {boolean} mine
 * @property {string} text
 * @property {number} at milliseconds since the epoch
 * @property {boolean} delivered the other side confirmed it; true for theirs
 */

const MAX_TEXT = 4000; // characters
const MAX_ID = 64;
const KEPT = 1000; // messages, the oldest go first

/** Fires 'change'. */
export class Chat extends Conversation {
  /** @type {ChatMessage[]} */
  messages = [];
  /** ids of theirs, as many as are kept @type {Set<string>} */
  #seen = new Set();

  /**
   * Sends now, or as soon as there is a channel.
   * @param {string} text 1 to 4,000 characters, else a RangeError
   * @returns {{id: string}}
   */
  send(text) {
    const length = [...text].length;
    if (length < 1 || length > MAX_TEXT) throw new RangeError(`A message has 1 to ${MAX_TEXT} characters, this one has ${length}.`);
    const message = { id: randomId(), mine: true, text, at: Date.now(), delivered: false };
    const bytes = new TextEncoder().encode(JSON.stringify(chatFrame(message))).length;
    if (bytes > MAX_FRAME) throw new RangeError('This message is too large.');
    this.#keep(message);
    this.sendFrame(chatFrame(message));
    return { id: message.id };
  }

  /** @override */
  opened() {
    for (const message of this.messages) {
      if (message.mine && !message.delivered) this.sendFrame(chatFrame(message));
    }
  }

  /** @override @param {import('./conversation.js').Frame} frame */
  frame(frame) {
    if (frame.t === 'chat') {
      const id = stringField(frame, 'id', 1, MAX_ID);
      const text = stringField(frame, 'text', 1, MAX_TEXT);
      if (!this.#seen.has(id)) {
        this.#seen.add(id);
        if (this.#seen.size > KEPT) this.#seen.delete(/** @type {string} */ (this.#seen.values().next().value));
        this.#keep({ id, mine: false, text, at: Date.now(), delivered: true });
      }
      this.sendFrame({ t: 'got', id });
    } else if (frame.t === 'got') {
      const id = stringField(frame, 'id', 1, MAX_ID);
      const message = this.messages.findLast((m) => m.mine && m.id === id);
      if (!message || message.delivered) return;
      message.delivered = true;
      this.dispatchEvent(new CustomEvent('change'));
    }
  }

  /** @param {ChatMessage} message */
  #keep(message) {
    this.messages.push(message);
    if (this.messages.length > KEPT) this.messages.shift();
    this.dispatchEvent(new CustomEvent('change'));
  }
}

/** @param {ChatMessage} message */
function chatFrame({ id, text }) { return { t: 'chat', id, text }; }
