// cortex config push, show: the configuration of functions that have no files, in Redis. Everything is read and checked before anything
// is written.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pushConfig, readConfig, type StoredName, storedKey, storedNames } from '#core/config/stored.ts';
import { parseApiKeys } from '#core/http/api-keys.ts';
import type { PolicyVersion } from '#core/jobs/job.ts';
import { parsePolicyText } from '#core/policy/source.ts';
import { parseConfigText } from '#core/process/config-file.ts';
import type { Result } from '#core/result.ts';
import { parsePools } from '#core/routing/pools.ts';
import { parseTimeouts } from '#core/scheduling/timeouts.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { type Options, usageError } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { exit } from '../exit.ts';
import { problemOfFile } from '../files.ts';
import { withRedis } from '../redis.ts';

interface Kind {
  /** The variable that names the file for a process with files. */
  readonly variable: string;
  /** From the root of a checkout; none: pushed only when the variable or an option names a file. */
  readonly file: string | undefined;
  readonly parse: (content: string) => Result<unknown, readonly string[]>;
}

const kinds: Readonly<Record<StoredName, Kind>> = {
  policy: { variable: 'SAFETY_POLICY_PATH', file: 'config/safety.yaml', parse: parsePolicyText },
  keys: { variable: 'API_KEYS_PATH', file: undefined, parse: parseApiKeys },
  pools: {
    variable: 'POOL_CONFIG_PATH',
    file: 'config/pools.yaml',
    parse: (content) => parseConfigText(content, parsePools),
  },
  timeouts: {
    variable: 'TIMEOUT_CONFIG_PATH',
    file: 'config/timeouts.yaml',
    parse: (content) => parseConfigText(content, parseTimeouts),
  },
};

const redisOptions: Options = {
  redis: { kind: 'text', value: 'URL', help: 'the Redis, in place of REDIS_URL and of the one of npm start' },
  json: { kind: 'flag', help: 'print JSON' },
};

interface Text {
  readonly name: StoredName;
  readonly path: string;
  readonly content: string;
}

export const configPush: Command = {
  name: 'config push',
  summary: 'put policy, API keys, pools and time-outs into Redis, for functions that have no files',
  operands: [],
  options: {
    only: { kind: 'text', value: 'NAME', oneOf: storedNames, help: `one of ${storedNames.join(', ')}; all without it` },
    ...Object.fromEntries(
      storedNames.map((name) => {
        const { variable, file } = kinds[name];
        const otherwise = file === undefined ? `; not pushed without either` : `, ${file} without either`;
        return [name, { kind: 'text', value: 'FILE', help: `in place of ${variable}${otherwise}` }] as const;
      }),
    ),
    ...redisOptions,
  },
  notes: ['A change is in force within a second. What is wrong in a file is told, and then nothing is pushed.'],
  examples: [['config push --only policy', 'another policy for the kernels at the edge']],
  async run(context) {
    const { args, out } = context;
    const only = args.text('only') as StoredName | undefined;
    const texts = storedNames
      .filter((name) => only === undefined || name === only)
      .flatMap((name) => textOf(name, context));
    const [none] = texts;
    if (none === undefined)
      throw usageError('config push', `which file? Name it with --${only} or ${kinds[only ?? 'keys'].variable}`);
    const wrong = texts.flatMap(({ name, path, content }) => {
      const parsed = kinds[name].parse(content);
      return parsed.ok ? [] : parsed.error.map((problem) => `${path}: ${problem}`);
    });
    if (wrong.length > 0) throw new Stop(wrong.join('; '), exit.usage);
    await withRedis(context, async (redis) => {
      const pushed = [];
      for (const { name, path, content } of texts) {
        const { version, changed } = await pushConfig(redis, name, content);
        pushed.push({ name, ...version, changed });
        if (!args.flag('json'))
          out.print(`${name.padEnd(8)} ${told(version)}  ${changed ? `from ${path}` : 'unchanged'}`);
      }
      if (args.flag('json')) out.json(JSON.stringify(pushed));
    });
    return exit.ok;
  },
};

export const configShow: Command = {
  name: 'config show',
  summary: 'show which configuration is in Redis, or one text of it',
  operands: [],
  options: {
    only: { kind: 'text', value: 'NAME', oneOf: storedNames, help: 'print this text, and nothing else' },
    ...redisOptions,
  },
  async run(context) {
    const { args, out } = context;
    const only = args.text('only') as StoredName | undefined;
    return withRedis(context, async (redis) => {
      const found = await Promise.all(
        (only === undefined ? storedNames : [only]).map(async (name) => ({ name, ...(await readConfig(redis, name)) })),
      );
      const [first] = found;
      if (only !== undefined && first?.text === undefined)
        throw new Stop(`${storedKey(only)}: nothing was pushed`, exit.notFound);
      if (args.flag('json')) {
        out.json(JSON.stringify(found.map(({ name, version, text }) => ({ name, ...version, ...(only && { text }) }))));
      } else if (only !== undefined) out.print((first?.text ?? '').replace(/\n$/, ''));
      else
        for (const { name, version } of found)
          out.print(`${name.padEnd(8)} ${version === undefined ? 'not pushed' : told(version)}`);
      return exit.ok;
    });
  },
};

function textOf(name: StoredName, { args, env, sources, checkout }: Context): Text[] {
  const { variable, file } = kinds[name];
  const given = args.text(name) ?? (env[variable] || undefined);
  if (given === undefined && file === undefined) return [];
  const path = given === undefined ? join(checkout, file ?? '') : sources.path(given);
  const shown = given ?? path;
  try {
    return [{ name, path: shown, content: readFileSync(path, 'utf8') }];
  } catch (error) {
    throw new Stop(problemOfFile(shown, error), exit.usage);
  }
}

function told({ sequence, hash }: PolicyVersion): string {
  return `${new Date(sequence).toISOString()} ${hash}`;
}
