// @ts-check
// The record of what happened, in the browser: the six kinds of event of the trace package, on one monotonic clock,
// in the form in which a lab's run is saved. It is bounded: what no longer fits is counted and not kept.

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
 * @property {boolean} [lost] a message that never arrived
 * @property {number} [took_ns] how long a message was on its way
 * @property {number} [span] joins the event that begins a span and the one that ends it
 * @property {number} [value]
 * @property {string} [unit]
 * @property {Record<string, string>} [attrs]
 */

/**
 * @typedef {object} Run the JSON of a run, the same as a lab's
 * @property {string} id
 * @property {string} lab
 * @property {Record<string, unknown>} params
 * @property {Record<string, unknown>} network
 * @property {string} started RFC 3339
 * @property {string} [ended] not there while it goes on
 * @property {number} dropped events that no longer fitted
 * @property {Event[]} events
 */

/** @typedef {Omit<Event, 'seq'|'at_ns'|'kind'>} Fields */

/**
 * @typedef {object} RecorderOptions
 * @property {string} [id] of the run
 * @property {number} [limit] events kept, 20,000 by default
 * @property {() => number} [now] milliseconds that never run backwards
 */

const LIMIT = 20_000;
const SAMPLES = 0.75; // of the limit
// One string from a peer (a name, a message) must not fill the record.
const MAX_TEXT = 16_000;

/** Fires 'event' (detail: Event). */
export class Recorder extends EventTarget {
  /** @type {Event[]} */
  events = [];
  /** events that no longer fitted */
  dropped = 0;
  /** @type {Record<string, unknown>} what the run was made with, for toJSON */
  params = {};

  #id;
  #limit;
  #now;
  #begin;
  #started = new Date();
  /** @type {Date|null} */
  #ended = null;
  #spans = 0;

  /** @param {RecorderOptions} [options] */
  constructor({ id = '', limit = LIMIT, now = () => performance.now() } = {}) {
    super();
    this.#id = id;
    this.#limit = limit;
    this.#now = now;
    this.#begin = now();
  }

  /** Something went from a lane to another. @param {Fields} fields from, to, layer, name */
  message(fields) { this.#add('message', fields); }

  /**
   * Begins an operation on a lane; the function returned ends it, once.
   * @param {Fields} fields from, name
   * @returns {(text?: string) => void} text: how it ended
   */
  span(fields) {
    const span = ++this.#spans;
    let open = true;
    this.#add('span', { ...fields, span });
    return (text = '') => {
      if (!open) return;
      open = false;
      this.#add('span', { ...fields, text, span });
    };
  }

  /** A series has a value now. @param {Fields} fields from, name, value, unit */
  sample(fields) { this.#add('sample', fields); }

  /** A key has a value now. @param {Fields} fields from, name (the key), text (the value; '' says it is gone) */
  state(fields) { this.#add('state', fields); }

  /** One sentence for a person. @param {Fields} fields text */
  note(fields) { this.#add('note', fields); }

  /** A measured result. @param {Fields} fields name, value, unit */
  fact(fields) { this.#add('fact', fields); }

  /** Nothing is recorded after this. */
  end() { this.#ended ??= new Date(); }

  /** @returns {Run} */
  toJSON() {
    /** @type {Run} */
    const run = {
      id: this.#id, lab: 'room', params: { ...this.params }, network: {},
      started: this.#started.toISOString(), dropped: this.dropped, events: this.events.slice(),
    };
    if (this.#ended) run.ended = this.#ended.toISOString();
    return run;
  }

  /** @param {Kind} kind @param {Fields} fields */
  #add(kind, fields) {
    if (this.#ended) return;
    // Samples come every second; in a long session they must leave place for what happens once.
    const limit = kind === 'sample' ? this.#limit * SAMPLES : this.#limit;
    if (this.events.length >= limit) {
      this.dropped++;
      return;
    }
    /** @type {Event} */
    const event = {
      seq: this.events.length + 1,
      at_ns: Math.max(0, Math.round((this.#now() - this.#begin) * 1e6)),
      kind,
      ...fields,
    };
    if (event.text && event.text.length > MAX_TEXT) event.text = event.text.slice(0, MAX_TEXT) + '…';
    this.events.push(event);
    this.dispatchEvent(new CustomEvent('event', { detail: event }));
  }
}
