// cortex review: a repository on this machine or at an address goes through the review, and its report is printed.
import { realpathSync, statSync } from 'node:fs';
import { defaultExcludeGlobs } from '#core/protocol/repo-globs.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { type Args, usageError } from '../args.ts';
import { type Command, gatewayOptions } from '../command.ts';
import { exit } from '../exit.ts';
import { problemOfFile, type Sources } from '../files.ts';
import { follow } from '../follow.ts';
import { accepted } from '../job.ts';
import { showEnd } from '../show-job.ts';
import { oneLine } from '../text.ts';

export const review: Command = {
  name: 'review',
  summary: 'review a repository and print the report',
  operands: ['PATH_OR_URL'],
  options: {
    branch: { kind: 'text', value: 'NAME', help: 'of a repository at an address' },
    include: { kind: 'list', value: 'GLOB', help: 'only these files, in place of the usual kinds; may be repeated' },
    exclude: { kind: 'list', value: 'GLOB', help: 'not these either; may be repeated' },
    'no-default-excludes': { kind: 'flag', help: 'look into node_modules, vendor, dist ... too' },
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
    'A path is read by the worker, on its machine and below its REPO_LOCAL_ROOTS; npm start names this checkout there.',
  ],
  examples: [
    ['review .', 'the repository here'],
    [`review ../other --include '**/*.py' --exclude 'tests/**'`, 'only some of it'],
  ],
  async run(context) {
    const { args, out, command, sources } = context;
    if (args.flag('no-wait') && args.wait('wait') !== undefined) {
      throw usageError('review', '--wait and --no-wait contradict each other');
    }
    const source = readSource(args.operand(0) ?? '', sources);
    const client = context.client();
    const { text, value } = await client.call({
      method: 'POST',
      path: '/api/v1/repo-review',
      headers: { 'idempotency-key': args.text('idempotency-key') },
      body: { ...source, ...readChoices(args) },
      schema: accepted,
    });
    const { job_id: id } = value;
    if (!args.flag('no-wait')) {
      out.note(`review of ${source.local_path ?? withoutPassword(source.repo_url ?? '')}: job ${oneLine(id)}`);
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

function readChoices(args: Args): Record<string, unknown> {
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
