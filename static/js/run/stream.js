// @ts-check
// The events of a run as the server sends them (text/event-stream), without a
// gap and each once: after a cut it asks again from where it was.
//
//   id: 57             the seq of the last event in the message
//   event: events      data: a JSON list of events, in order
//   event: status      data: {state, why, watchers, dropped, packets}
//   event: end         data: the last status; nothing follows
//
// No DOM: it is given what opens a source, which is EventSource in a page.

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {{state: string, why: string, watchers: number, dropped: number, packets: number}} Status */
/** @typedef {'connecting'|'open'|'reconnecting'|'ended'|'gone'} State */
/**
 * @typedef {object} Source what the stream needs of an EventSource
 * @property {number} readyState 2 is closed
 * @property {(type: string, listener: (e: any) => void) => void} addEventListener
 * @property {() => void} close
 */

const closed = 2, shortest = 500, longest = 10_000, patience = 6;

/** Fires 'events' (detail: Event[]), 'status' (detail: Status) and 'state' (detail: State). */
export class Stream extends EventTarget {
  /** @type {State} */
  state = 'connecting';
  /** seq of the last event taken */
  last = 0;
  #url;
  #open;
  #timer;
  /** @type {Source|null} */
  #source = null;
  #wait = shortest;
  #failures = 0;

  /**
   * @param {string} url
   * @param {{open?: (url: string) => Source, timer?: (work: () => void, ms: number) => void}} [options]
   */
  constructor(url, { open = (u) => new EventSource(u), timer = (work, ms) => void setTimeout(work, ms) } = {}) {
    super();
    this.#url = url;
    this.#open = open;
    this.#timer = timer;
  }

  start() { this.#connect(); }

  close() {
    this.#source?.close();
    this.#source = null;
    this.#to('ended');
  }

  #connect() {
    if (this.state === 'ended' || this.state === 'gone') return;
    // A new source has no Last-Event-ID of its own, so the address says it.
    const source = this.#open(this.last > 0 ? `${this.#url}?after=${this.last}` : this.#url);
    this.#source = source;
    /** @param {(e: any) => void} work */
    const mine = (work) => (/** @type {any} */ e) => { if (this.#source === source) work(e); };
    source.addEventListener('open', mine(() => {
      this.#wait = shortest;
      this.#failures = 0;
      this.#to('open');
    }));
    source.addEventListener('events', mine((e) => this.#take(JSON.parse(e.data))));
    source.addEventListener('status', mine((e) => this.#tell('status', JSON.parse(e.data))));
    source.addEventListener('end', mine((e) => {
      this.#tell('status', JSON.parse(e.data));
      this.close();
    }));
    source.addEventListener('error', mine(() => {
      this.#to('reconnecting');
      // Cut off, it comes back by itself; refused, it does not.
      if (source.readyState === closed) this.#again();
    }));
  }

  /** @param {Event[]} events */
  #take(events) {
    const fresh = [];
    for (const event of events) {
      if (event.seq <= this.last) continue; // sent twice around a cut
      if (event.seq !== this.last + 1) {
        this.#deliver(fresh);
        return this.#again(); // one is missing: ask for it
      }
      this.last = event.seq;
      fresh.push(event);
    }
    this.#deliver(fresh);
  }

  /** @param {Event[]} events */
  #deliver(events) { if (events.length > 0) this.#tell('events', events); }

  /** A new source, after a while that grows. */
  #again() {
    this.#source?.close();
    this.#source = null;
    if (++this.#failures > patience) return this.#to('gone');
    this.#to('reconnecting');
    const wait = this.#wait;
    this.#wait = Math.min(longest, wait * 2);
    this.#timer(() => this.#connect(), wait);
  }

  /** @param {State} state */
  #to(state) {
    if (this.state === state || this.state === 'ended' || this.state === 'gone') return;
    this.state = state;
    this.#tell('state', state);
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}
