// @ts-check
// Pause, steps, the place in the run, its speed, and the way back to what is live.
import { time } from '../view/ladder-marks.js';
import { el, say } from './dom.js';

/** @typedef {import('../run/player.js').Player} Player */

export class Transport {
  #player;
  #toEnd;
  #toggle = button('Pause', 'Pause or go on (Space)');
  #back = button('‹', 'One event back (,)');
  #forth = button('›', 'One event on (.)');
  #place = el('input', { type: 'range', min: '0', value: '0', 'aria-label': 'Place in the run, in events', 'data-testid': 'place' });
  #where = el('span', { class: 'mono where', 'data-testid': 'where' });
  #speed = el('select', { 'aria-label': 'Speed', 'data-testid': 'speed' });
  #live = button('To the end', 'Show everything and what is still to come (l)');
  help = button('?', 'Keyboard (?)');
  element;

  /** @param {Player} player @param {() => void} toEnd */
  constructor(player, toEnd) {
    this.#player = player;
    this.#toEnd = toEnd;
    for (const [value, words] of [['0.1', '⅒ speed'], ['0.25', '¼ speed'], ['1', 'as it was'], ['4', '4 × speed'], ['16', '16 × speed']]) this.#speed.append(el('option', { value }, words));
    this.#speed.value = '1';
    this.#toggle.dataset.testid = 'pause';
    this.#back.dataset.testid = 'step-back';
    this.#forth.dataset.testid = 'step';
    this.#live.dataset.testid = 'to-live';
    this.#toggle.addEventListener('click', () => player.toggle());
    this.#back.addEventListener('click', () => player.step(-1));
    this.#forth.addEventListener('click', () => player.step(1));
    this.#live.addEventListener('click', () => this.live());
    this.#place.addEventListener('input', () => player.seek(Number(this.#place.value)));
    this.#speed.addEventListener('change', () => {
      player.speed = Number(this.#speed.value);
    });
    this.element = el('div', { class: 'transport', role: 'group', 'aria-label': 'Place in the run' },
      this.#toggle, this.#back, this.#forth, this.#place, this.#where, this.#speed, this.#live, this.help);
  }

  live() {
    this.#player.live();
    this.#toEnd();
  }

  draw() {
    const { events, shown, mode, behind, time: at } = this.#player;
    this.element.dataset.mode = mode;
    say(this.#toggle, mode !== 'paused' ? 'Pause' : behind > 0 ? 'Play' : 'Go on');
    this.#place.max = String(events.length);
    if (document.activeElement !== this.#place || mode !== 'paused') this.#place.value = String(shown);
    this.#place.setAttribute('aria-valuetext', `event ${shown} of ${events.length}, ${time(at)}`);
    say(this.#where, `${shown} / ${events.length} · ${time(at)}`);
    this.#back.disabled = shown === 0;
    this.#forth.disabled = behind === 0;
    this.#live.disabled = mode === 'live';
  }
}

/** @param {string} text @param {string} label */
function button(text, label) {
  return el('button', { type: 'button', class: 'button small', title: label, ...(text.length < 2 ? { 'aria-label': label } : {}) }, text);
}
