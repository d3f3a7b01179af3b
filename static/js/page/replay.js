// @ts-check
// A saved run, opened from a file and shown as a live one is. The file stays in
// the browser.
import { BadRun, decodeRun, limits } from '../run/document.js';
import { Player } from '../run/player.js';
import { must, say } from './dom.js';
import { Stage, viewsFor } from './stage.js';

const field = must('run-file', HTMLInputElement), problem = must('replay-problem', HTMLElement);
const head = must('replay-head', HTMLElement), box = must('stage', HTMLElement), drop = must('drop', HTMLElement);

/** @param {File} file */
async function open(file) {
  problem.hidden = true;
  try {
    if (file.size > limits.bytes) throw new BadRun(`It is larger than ${limits.bytes >> 20} MiB.`);
    const run = decodeRun(await file.text());
    const player = new Player();
    player.push(run.events);
    const fresh = box.cloneNode(false); // what the last run left behind goes with its element
    if (!(fresh instanceof HTMLElement)) return;
    document.getElementById('stage')?.replaceWith(fresh);
    fresh.hidden = false;
    new Stage(fresh, player, viewsFor(run.events));
    Object.assign(window, { peerlab: { player } });
    head.hidden = false;
    say(must('replay-title', HTMLElement), run.lab || 'A run');
    const params = Object.entries({ ...run.params, ...run.network }).map(([key, value]) => `${key} ${value}`);
    say(must('replay-about', HTMLElement), [file.name, run.started && new Date(run.started).toLocaleString(), `${run.events.length} events`, run.dropped > 0 && `${run.dropped} were dropped`, ...params].filter(Boolean).join(' · '));
  } catch (err) {
    problem.hidden = false;
    say(problem, `${file.name} cannot be shown. ${err instanceof BadRun ? err.message : 'It cannot be read.'}`);
    if (!(err instanceof BadRun)) console.warn(err);
  }
}

field.addEventListener('change', () => {
  const file = field.files?.[0];
  if (file) open(file);
  field.value = '';
});
/** @param {DragEvent} e */
function carries(e) { return e.dataTransfer?.types.includes('Files') ?? false; }
document.addEventListener('dragover', (e) => {
  if (!carries(e)) return;
  e.preventDefault();
  drop.hidden = false;
});
document.addEventListener('dragleave', (e) => { if (!e.relatedTarget) drop.hidden = true; });
document.addEventListener('drop', (e) => {
  drop.hidden = true;
  const file = e.dataTransfer?.files[0];
  if (!file) return;
  e.preventDefault();
  open(file);
});
