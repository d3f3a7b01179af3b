// @ts-check
// Charts of a run: one for each unit or name, all over the same stretch of time, but
// for those that are drawn against something else.
import { el } from '../page/dom.js';
import { Chart, moment } from './chart.js';
import { quantity } from './quantity.js';
import { Range, ticks } from './range.js';
import { Series, looks } from './series.js';
import { rangeKey, rangeTools } from './rangetools.js';

/** @typedef {import('../inspect/recorder.js').Event} Event */

export class Plots {
  label = 'Charts';
  #range = new Range();
  #series = new Series();
  #body = el('div', { class: 'plots' });
  #empty = el('p', { class: 'empty' }, 'Nothing has been measured yet.');
  /** @type {{chart: Chart, box: HTMLElement, title: HTMLElement}[]} */
  #charts = [];

  /** @param {HTMLElement} container */
  constructor(container) {
    container.append(rangeTools(this.#range, this.#body, () => this.draw()), this.#body, this.#empty);
  }

  get count() { return this.#series.count; }

  reset() { this.#series = new Series(); }

  /** @param {Event} event */
  push(event) { this.#series.add(event); }

  draw() {
    const { plots, last } = this.#series;
    this.#empty.hidden = plots.length > 0;
    this.#range.grow(last);
    while (this.#charts.length > plots.length) this.#charts.pop()?.box.remove();
    plots.forEach((plot, i) => {
      const made = this.#charts[i] ??= this.#chart();
      const measured = plot.unit && !plot.title.includes(plot.unit) ? `${plot.title}, ${plot.unit}` : plot.title;
      const title = plot.against ? `${measured}, against the ${plot.against.name}` : measured;
      if (made.title.textContent !== title) made.title.textContent = title;
      made.chart.title = title;
      made.chart.format = (value) => quantity(value, plot.unit);
      made.chart.draw(plot.lines.map((line, n) => ({ name: line.label, look: String(n % looks), held: plot.held, samples: line.samples })), plot.against ? amounts(plot.against, plot.lines) : moments(this.#range));
    });
  }

  /** @param {string} key */
  key(key) { return rangeKey(this.#range, key, () => this.draw()); }

  #chart() {
    const title = el('h3'), inner = el('div', { class: 'chart' });
    const box = el('section', {}, title, inner);
    this.#body.append(box);
    return { box, title, chart: new Chart(inner, { title: '', format: String, seconds: 0, empty: '' }) };
  }
}

/** The stretch of time that is looked at, in seconds. @param {Range} range @returns {import('./chart.js').Axis} */
function moments(range) {
  const ticks = (/** @type {number} */ most) => range.ticks(most).map((ms) => ms / 1000);
  return { name: 'Second', from: range.from / 1000, to: range.to / 1000, ticks, text: (at) => moment(at * 1000), dots: false };
}

/**
 * All of a quantity that lines are drawn against, from nothing to the most.
 * @param {import('./series.js').Quantity} against @param {import('./series.js').Line[]} lines @returns {import('./chart.js').Axis}
 */
function amounts({ name, unit }, lines) {
  const to = Math.max(...lines.flatMap((line) => line.samples.map((s) => s.at)));
  return { name, from: 0, to, ticks: (most) => to > 0 ? ticks(0, to, most) : [0], text: (at) => quantity(at, unit), dots: true };
}
