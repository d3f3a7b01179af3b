// @ts-check
// How much of a run is shown. All its events are kept as they come; somebody may
// stop, go back and forth, play them again at a speed, or follow what is live.

/** @typedef {import('../inspect/recorder.js').Event} Event */
/** @typedef {'live'|'paused'|'playing'} Mode */

/** Fires 'change' when what is shown, or how, may be different. */
export class Player extends EventTarget {
  /** @type {Event[]} */
  events = [];
  /** how many of them are shown */
  shown = 0;
  /** @type {Mode} */
  mode = 'live';
  /** times as fast as it was, when playing */
  speed = 1;
  /** milliseconds of the run, when playing */
  #clock = 0;
  /** milliseconds since the run began, while it goes on; 0 afterwards */
  #now = 0;

  /** @param {Event[]} more */
  push(more) {
    if (more.length === 0) return;
    for (const event of more) this.events.push(event);
    if (this.mode === 'live') this.shown = this.events.length;
    this.#changed();
  }

  /** Starts over with another run. */
  clear() {
    this.events = [];
    this.shown = 0;
    this.mode = 'live';
    this.#changed();
  }

  /** Milliseconds since the start, at the last event shown. */
  get time() { return this.shown > 0 ? this.events[this.shown - 1].at_ns / 1e6 : 0; }

  /** Milliseconds since the start up to which is known what happened, as far as it is shown. */
  get now() {
    return Math.max(this.time, this.mode === 'live' ? this.#now : this.mode === 'playing' ? this.#clock : 0);
  }

  /** Tells how long the run goes on already; 0: it has ended. @param {number} now milliseconds */
  advance(now) {
    this.#now = now;
    if (this.mode === 'live') this.#changed();
  }

  /** Events that came and are not shown. */
  get behind() { return this.events.length - this.shown; }

  pause() { this.#set('paused'); }

  /** Shows everything, and all that is still to come. */
  live() {
    this.shown = this.events.length;
    this.#set('live');
  }

  /** Goes on from here at a speed; from the beginning if this is the end. @param {number} [speed] */
  play(speed = this.speed) {
    this.speed = speed;
    if (this.behind === 0) this.shown = 0;
    this.#clock = this.time;
    this.#set('playing');
  }

  /** Stops, or goes on: live if nothing is behind, else playing. */
  toggle() {
    if (this.mode !== 'paused') this.pause();
    else if (this.behind === 0) this.live();
    else this.play();
  }

  /** @param {number} by events, back if below zero */
  step(by) { this.seek(this.shown + by); }

  /** Stops after that many events. @param {number} count */
  seek(count) {
    this.shown = Math.max(0, Math.min(this.events.length, count));
    this.#set('paused');
  }

  /** Lets time pass; true while playing. @param {number} elapsed milliseconds */
  tick(elapsed) {
    if (this.mode !== 'playing') return false;
    this.#clock += elapsed * this.speed;
    const before = this.shown;
    while (this.shown < this.events.length && this.events[this.shown].at_ns / 1e6 <= this.#clock) this.shown++;
    if (this.shown === this.events.length) this.#set('live');
    else if (this.shown !== before) this.#changed();
    return this.mode === 'playing';
  }

  /** @param {Mode} mode */
  #set(mode) {
    this.mode = mode;
    this.#changed();
  }

  #changed() { this.dispatchEvent(new CustomEvent('change')); }
}
