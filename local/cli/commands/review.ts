// cortex review: a repository on this machine or at an address goes through the review, and its report is printed.
import { realpathSync, statSync } from 'node:fs';
import { delimiter, relative, resolve, sep } from 'node:path';
import { defaultExcludeGlobs, defaultIncludeGlobs } from '#core/protocol/repo-globs.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { type Args, usageError } from '../args.ts';
import type { Client } from '../client.ts';
import { type Command, type Context, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { problemOfFile, type Sources } from '../files.ts';
import { follow } from '../follow.ts';
import { accepted } from '../job.ts';
import { packFolder } from '../pack.ts';
import { showEnd } from '../show-job.ts';
import { bytes, counted, oneLine } from '../text.ts';
import { uploadArchive } from '../upload.ts';

export const review: Command = {
  name: 'review',
  summary: 'review a repository and print the report',
  operands: ['PATH_OR_URL'],
  options: {
    branch: { kind: 'text', value: 'NAME', help: 'of a repository at an address' },
    include: { kind: 'list', value: 'GLOB', help: 'only these files, in place of the usual kinds; may be repeated' },
    exclude: { kind: 'list', value: 'GLOB', help: 'not these either; may be repeated' },
    'no-default-excludes': { kind: 'flag', help: 'look into node_modules, vendor, dist ... too' },
    pack: { kind: 'flag', help: 'upload the folder, even where a worker reads it by itself' },
    'no-pack': { kind: 'flag', help: 'send the path alone: a worker reads it, below its REPO_LOCAL_ROOTS' },
    'max-files': { kind: 'count', value: 'N', help: 'review that many files at most' },
    'batch-size': { kind: 'count', value: 'N', help: 'files that are looked at together' },
    'max-batches': { kind: 'count', value: 'N', help: 'that many batches at most' },
    'run-tests': { kind: 'flag', help: 'run its tests, where the worker is set up for it' },
    'test-command': { kind: 'text', value: 'COMMAND', help: 'how' },
    priority: {
      kind: 'text',
      value: 'PRIORITY',
      oneOf: ['critical', 'interactive', 'batch'],
      help: 'critical, interactive (without it) or batch',
    },
    'memory-id': { kind: 'text', value: 'ID', help: 'the memory that the context engine uses' },
    'idempotency-key': { kind: 'text', value: 'KEY', help: 'the same key and review again: the first job answers' },
    wait: { kind: 'wait', value: 'SECONDS', help: 'wait that long for the report; without it until the end' },
    'no-wait': { kind: 'flag', help: 'do not wait: print the ids of the job' },
    ...gatewayOptions,
  },
  notes: [
    'A folder that the workers of npm start read by themselves (below REPO_LOCAL_ROOTS, else this checkout) goes as its path. Any other is packed here, by the same patterns and limits, and uploaded: at most 64 MiB packed, files of at most 2 MiB each, links never.',
    'An address is fetched by the worker: https, and what its REPO_URL_SCHEMES allows.',
  ],
  examples: [
    ['review .', 'the repository here'],
    ['review https://github.com/acme/tool --branch main', 'one at an address'],
    [`review ../other --include '**/*.py' --exclude 'tests/**'`, 'only some of it'],
  ],
  async run(context) {
    const { args, out, command, sources } = context;
    if (args.flag('no-wait') && args.wait('wait') !== undefined) {
      throw usageError('review', '--wait and --no-wait contradict each other');
    }
    if (args.flag('pack') && args.flag('no-pack')) {
      throw usageError('review', '--pack and --no-pack contradict each other');
    }
    const found = readSource(args.operand(0) ?? '', sources);
    const choices = readChoices(args);
    const client = context.client();
    const source = await packed(found, choices, client, context);
    const { text, value } = await client.call({
      method: 'POST',
      path: '/api/v1/repo-review',
      headers: { 'idempotency-key': args.text('idempotency-key') },
      body: { ...source, ...choices },
      schema: accepted,
    });
    const { job_id: id } = value;
    if (!args.flag('no-wait')) {
      out.note(`review of ${found.local_path ?? withoutPassword(found.repo_url ?? '')}: job ${oneLine(id)}`);
      return follow(context, client, id, args.wait('wait') ?? Number.POSITIVE_INFINITY, showEnd);
    }
    if (args.flag('json')) out.json(text);
    else {
      out.print(
        `${out.paint('dim', 'job  ')} ${oneLine(id)}`,
        `${out.paint('dim', 'trace')} ${oneLine(value.trace_id)}`,
      );
      out.note(`its report: ${command(`get ${id} --wait`)}`);
    }
    return exit.ok;
  },
};

interface Source {
  readonly local_path?: string;
  readonly repo_url?: string;
}

/** An address has a scheme, or is what git calls scp-like (`git@host:path`) and no folder here. */
function readSource(given: string, { path }: Sources): Source {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) return { repo_url: given };
  const folder = path(given);
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found === undefined && /^[\w.-]+@[\w.-]+:/.test(given)) return { repo_url: given };
  if (found?.isDirectory() === false) throw new Stop(`review: ${given}: is no folder`, exit.usage);
  try {
    return { local_path: realpathSync(folder) };
  } catch (error) {
    throw new Stop(`review: ${problemOfFile(given, error)}`, exit.usage);
  }
}

/** A folder that no worker is known to read goes along as an archive. */
async function packed(found: Source, choices: Choices, client: Client, context: Context): Promise<object> {
  const { args, out, env, signal } = context;
  const { local_path: folder } = found;
  if (folder === undefined || args.flag('no-pack')) return found;
  const roots = client.gateway.localRoots ?? (env['REPO_LOCAL_ROOTS'] ?? '').split(delimiter);
  if (!args.flag('pack') && roots.some((root) => root !== '' && isBelow(folder, root))) return found;
  const globs = {
    include: choices.include_globs ?? defaultIncludeGlobs,
    exclude: choices.exclude_globs ?? defaultExcludeGlobs,
  };
  const { archive, files, total, left } = await packFolder(folder, globs, { out, signal });
  const skipped = Object.entries(left).map(([reason, count]) => `${count} ${reason.replaceAll('_', ' ')}`);
  const pointer = await uploadArchive(client, archive, { out, signal });
  if (!args.flag('json')) {
    const sizes = `${bytes(total)}, ${bytes(archive.length)} packed`;
    out.note(`uploaded ${counted(files, 'file')} of ${oneLine(folder)} (${sizes})`);
    if (skipped.length > 0) out.note(`left out here: ${skipped.join(', ')}`);
  }
  return { archive_ptr: pointer };
}

function isBelow(folder: string, root: string): boolean {
  const way = relative(realPath(resolve(root)), folder);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`));
}

function realPath(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? path : realpathSync(path);
}

interface Choices {
  readonly include_globs: readonly string[] | undefined;
  readonly exclude_globs: readonly string[] | undefined;
  readonly [choice: string]: unknown;
}

function readChoices(args: Args): Choices {
  const include = args.list('include');
  const exclude = args.list('exclude');
  const usual = args.flag('no-default-excludes') ? [] : defaultExcludeGlobs;
  if (args.flag('no-default-excludes') && exclude.length === 0) {
    // The API reads an empty list as the usual ones.
    throw usageError('review', '--no-default-excludes: needs an --exclude of your own, such as .git/**');
  }
  return {
    branch: args.text('branch'),
    include_globs: include.length === 0 ? undefined : include,
    exclude_globs: exclude.length === 0 ? undefined : [...usual, ...exclude],
    max_files: args.count('max-files'),
    batch_size: args.count('batch-size'),
    max_batches: args.count('max-batches'),
    run_tests: args.flag('run-tests') || undefined,
    test_command: args.text('test-command'),
    priority: args.text('priority'),
    memory_id: args.text('memory-id'),
  };
}

function withoutPassword(url: string): string {
  return oneLine(url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1'));
}
