// @ts-check
// The record of what happened, in the browser: the six kinds of event of the trace vocabulary, on one monotonic clock.

/** @typedef {'message'|'span'|'sample'|'state'|'note'|'fact'} Kind */
/** @typedef {'app'|'http'|'tls'|'quic'|'tcp'|'udp'|'ip'|'dns'|'ice'|'dtls'|'sctp'|'turn'} Layer */

/**
 * @typedef {object} Event
 * @property {number} seq from 1, without gaps
 * @property {number} at_ns since the start of the run
 * @property {Kind} kind
 * @property {Layer} [layer]
 * @property {string} [from] lane: 'me', a peer's name, 'server', 'relay'
 * @property {string} [to]
 * @property {string} [name]
 * @property {string} [text]
 * @property {number} [span]
 * @property {number} [value]
 * @property {string} [unit]
 * @property {Record<string, string>} [attrs]
 */

/**
 * @typedef {object} Run the JSON of a run, the same as a lab's
 * @property {string} id
 * @property {string} lab
 * @property {Record<string, string>} params
 * @property {string} network
 * @property {string} started RFC 3339
 * @property {string} ended '' while it goes on
 * @property {number} dropped events that no longer fitted
 * @property {Event[]} events
 */

/** @typedef {Omit<Event, 'seq'|'at_ns'|'kind'>} Fields */

/** Fires 'event' (detail: Event). */
export class Recorder extends EventTarget {
  /** @type {Event[]} */
  events = [];
  /** events not kept */
  dropped = 0;

  /** @param {{id?: string, limit?: number}} [options] limit: events kept, 20,000 by default */
  constructor(options) {
    super();
    void options;
  }

  /** @param {Fields} fields from, to, layer, name */
  message(fields) { void fields; }
  /** Begins a span; the function returned ends it. @param {Fields} fields @returns {(text?: string) => void} */
  span(fields) { void fields; return () => {}; }
  /** @param {Fields} fields from (lane), name, value, unit */
  sample(fields) { void fields; }
  /** @param {Fields} fields from (lane), name (key), text (value; '' is gone) */
  state(fields) { void fields; }
  /** @param {Fields} fields text */
  note(fields) { void fields; }
  /** @param {Fields} fields name, value, unit */
  fact(fields) { void fields; }

  /** @returns {Run} */
  toJSON() { throw new Error('not yet'); }
}
