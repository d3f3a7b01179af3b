// @ts-check
// The button by which a visitor's browser takes part in a run: it measures something, shows it here and tells the run.
import { randomId } from '../net/id.js';
import { must, say } from './dom.js';
import { rememberedName } from './names.js';

/** @typedef {{data: object, words: string}} Found what the run is told, and the visitor */

const key = 'peerlab-browser';

/** @param {(servers: string[]) => Promise<Found>} measure */
export function visitor(measure) {
  const button = must('visitor', HTMLButtonElement), said = must('visitor-said', HTMLElement);
  /** @param {string} words */
  const tell = (words) => { say(said, words); said.hidden = false; };
  button.hidden = false;
  button.addEventListener('click', async () => {
    button.disabled = true;
    tell('Measuring…');
    try {
      const { data, words } = await measure(JSON.parse(button.dataset.stun ?? '[]'));
      tell(words);
      const problem = await send(data);
      if (problem) tell(`${words} The run was not told: ${problem}`);
    } catch (err) {
      tell(`Nothing was measured: ${/** @type {Error} */ (err).message}`);
    }
    button.disabled = must('run', HTMLElement).dataset.state !== 'running';
  });
}

/** @param {object} data @returns {Promise<string>} why it was not taken, or '' */
async function send(data) {
  const run = must('run', HTMLElement).dataset.run ?? '';
  try {
    const answer = await fetch(`/runs/${encodeURIComponent(run)}/visitor`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify({ browser: browserKey(), name: [...rememberedName()].slice(0, 40).join(''), data }),
    });
    if (answer.ok) return '';
    const why = await answer.json().catch(() => ({}));
    return why.message ?? `the server answered ${answer.status}.`;
  } catch {
    return 'the server cannot be reached.';
  }
}

/** What this tab is known by: a new one each time it is opened, and nothing that follows a person about. */
function browserKey() {
  try {
    const known = sessionStorage.getItem(key) ?? randomId();
    sessionStorage.setItem(key, known);
    return known;
  } catch {
    return randomId();
  }
}
