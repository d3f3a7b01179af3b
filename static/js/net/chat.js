// @ts-check
// Chat over the data channel 'chat', as peer/PROTOCOL.md tells it.

/**
 * @typedef {object} ChatMessage
 * @property {string} id
 * @property {boolean} mine
 * @property {string} text
 * @property {number} at milliseconds since the epoch
 * @property {boolean} delivered the other side confirmed it; true for theirs
 */

/** Fires 'change'. */
export class Chat extends EventTarget {
  /** @type {ChatMessage[]} */
  messages = [];
  /** @param {string} text 1 to 4,000 characters @returns {{id: string}} throws RangeError */
  send(text) { void text; return { id: '' }; }
}
