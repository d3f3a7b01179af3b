// @ts-check
// The line above everything: one that stays while something is so, and passing
// ones that float for a moment and move nothing.
import { must, say } from './dom.js';

/** @typedef {'info'|'warn'|'bad'} Tone */

const moment = 7000;

export class Banner {
  #line = must('banner', HTMLElement);
  /** @type {{words: string, tone: Tone}|null} */
  #held = null;
  #timer = 0;

  /** Shows it until release. @param {string} words @param {Tone} tone */
  hold(words, tone) {
    this.#held = { words, tone };
    this.#show(this.#held);
  }

  release() {
    this.#held = null;
    this.#show(null);
  }

  /** Shows it for a moment. @param {string} words @param {Tone} [tone] */
  pass(words, tone = 'info') {
    this.#show({ words, tone }, 'passing');
    this.#timer = window.setTimeout(() => this.#show(this.#held), moment);
  }

  /** @param {{words: string, tone: Tone}|null} what @param {string} [how] */
  #show(what, how = '') {
    clearTimeout(this.#timer);
    this.#line.hidden = !what;
    if (!what) return;
    this.#line.className = `banner ${what.tone} ${how}`;
    say(this.#line, what.words);
  }
}
