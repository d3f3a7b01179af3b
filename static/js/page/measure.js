// @ts-check
// Latency as it is, throughput when asked for.
import { Chart } from '../view/chart.js';
import { el, must, say } from './dom.js';
import { bytes, ms, rate } from './format.js';
import { facts } from './facts.js';

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('../net/bench.js').BenchProgress} BenchProgress */
/** @typedef {import('./context.js').Context} Context */
/** @typedef {{dir: 'send'|'receive', samples: import('../view/chart.js').Sample[]}} Run */

const duration = 5000;

/** @param {Context} context @returns {{draw: () => void}} */
export function measure({ room, selection, histories }) {
  const latency = must('latency', HTMLElement), note = must('bench-note', HTMLElement), results = must('bench-results', HTMLOListElement);
  const stop = must('bench-stop', HTMLButtonElement);
  const starts = { send: must('bench-send', HTMLButtonElement), receive: must('bench-receive', HTMLButtonElement) };
  const rttChart = new Chart(must('latency-chart', HTMLElement), { title: 'Round trip', format: ms, seconds: 120, empty: 'No answer measured yet' });
  const benchChart = new Chart(must('bench-chart', HTMLElement), { title: 'Throughput', format: rate, seconds: 0, empty: 'Run a test to see it' });
  /** the last run on each link, whoever asked for it @type {WeakMap<Link, Run>} */
  const runs = new WeakMap();

  function draw() {
    const { link } = selection;
    const ping = link?.bench.ping;
    facts(latency, [
      ['now', ping?.last == null ? '–' : ms(ping.last)],
      ['least', ping?.min == null ? '–' : ms(ping.min)],
      ['mean', ping?.mean == null ? '–' : ms(ping.mean)],
      ['most', ping?.max == null ? '–' : ms(ping.max)],
      ['lost', ping ? `${ping.lost} of ${Math.min(60, ping.sent)}` : '–'],
    ]);
    const history = link && histories.of(link);
    rttChart.draw([
      { name: 'data channel', look: 'channel', samples: history?.ping ?? [] },
      { name: 'ICE', look: 'ice', samples: history?.rtt ?? [] },
    ]);
    const run = link && runs.get(link);
    const name = run?.dir === 'receive' ? 'arrives here' : `arrives at ${link?.peer.name ?? 'the peer'}`;
    benchChart.draw([{ name, look: run?.dir === 'receive' ? 'down' : 'up', samples: run?.samples ?? [] }]);
    const ready = link?.state === 'connected' && !link.bench.running;
    for (const button of Object.values(starts)) button.disabled = !ready;
    stop.disabled = !link?.bench.running;
  }

  /** @param {'send'|'receive'} dir */
  async function start(dir) {
    const { link } = selection;
    if (!link) return;
    say(note, dir === 'send' ? `Sending to ${link.peer.name}; what arrives there counts.` : `Receiving from ${link.peer.name}.`);
    const running = link.bench.run({ dir, ms: duration });
    draw();
    try {
      const result = await running;
      const speed = result.ms > 0 ? (result.bytes * 1000) / result.ms : 0;
      const item = el('li', { 'data-testid': 'bench-result', 'data-dir': dir, 'data-bytes': String(result.bytes), 'data-ms': String(Math.round(result.ms)) },
        el('strong', {}, rate(speed)), ` ${dir === 'send' ? 'to' : 'from'} ${link.peer.name}: ${bytes(result.bytes)} in ${ms(result.ms)}, ${link.path}`);
      results.prepend(item);
      while (results.children.length > 8) results.lastElementChild?.remove();
      say(note, 'Counted by the side that received, over the data channel: encrypted, ordered, with its own congestion control.');
    } catch (err) {
      say(note, /** @type {Error} */ (err).message);
    }
    draw();
  }

  room.addEventListener('link', (e) => {
    const link = /** @type {CustomEvent<Link>} */ (e).detail;
    let id = 0;
    link.bench.addEventListener('progress', (p) => {
      const progress = /** @type {CustomEvent<BenchProgress>} */ (p).detail;
      if (progress.id !== id) runs.set(link, { dir: progress.dir, samples: [] });
      id = progress.id;
      runs.get(link)?.samples.push({ at: progress.ms / 1000, value: progress.rate });
      if (selection.link === link) draw();
    });
    for (const kind of ['change', 'rtt']) link.bench.addEventListener(kind, () => { if (selection.link === link) draw(); });
  });
  starts.send.addEventListener('click', () => start('send'));
  starts.receive.addEventListener('click', () => start('receive'));
  stop.addEventListener('click', () => selection.link?.bench.stop());
  return { draw };
}
