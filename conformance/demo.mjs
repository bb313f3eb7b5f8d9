// `rte demo` and what it prints.
import { rteProcess } from './rte.mjs';

/**
 * Starts a demo on free ports that ends with the test t. Returns the process,
 * what it printed (boardUrl to open, listenArgs of the line to copy, tokenUrl)
 * and since(): milliseconds since its start.
 */
export async function demo(t, ...flags) {
  const process = rteProcess('demo', '--listen=127.0.0.1:0', '--admin-listen=127.0.0.1:0', ...flags);
  t.after(() => process.stop());
  const boardUrl = (await process.line((text) => /^\s*http\S+\/wallboard\/#token=/.test(text), 'the address of the wallboard')).trim();
  // Both lines are to be copied, so that is what a test does.
  const listen = await process.line((text) => /^\s*\S.* listen --url /.test(text), 'the line to copy');
  const listenArgs = listen.trim().split(' ');
  listenArgs.splice(0, listenArgs.indexOf('listen'));
  const tokenUrl = (await process.line((text) => /^\s*http\S+\/token\/\S+$/.test(text), 'the address of tokens')).trim();
  return { process, boardUrl, listenArgs, tokenUrl, since: () => performance.now() - process.started };
}
