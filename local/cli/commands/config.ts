// cortex config push, show: the configuration of functions that have no files, in Redis. Everything is read and checked before anything
// is written.
import { pushConfig, readConfig, removeConfig, type StoredName, storedKey, storedNames } from '#core/config/stored.ts';
import type { PolicyVersion } from '#core/jobs/job.ts';
import { Stop } from '../../bootstrap/stop.mjs';
import { assertSound, findText, kinds } from '../../config-texts.ts';
import { type Options, usageError } from '../args.ts';
import type { Command } from '../command.ts';
import { exit } from '../exit.ts';
import { withRedis } from '../redis.ts';

const redisOptions: Options = {
  redis: { kind: 'text', value: 'URL', help: 'the Redis, in place of REDIS_URL and of the one of npm start' },
  json: { kind: 'flag', help: 'print JSON' },
};

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
      .flatMap((name) => findText(name, args.text(name), context) ?? []);
    if (texts.length === 0)
      throw usageError('config push', `which file? Name it with --${only} or ${kinds[only ?? 'keys'].variable}`);
    assertSound(texts);
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

export const configRemove: Command = {
  name: 'config remove',
  summary: 'take a configuration text out of Redis',
  operands: ['NAME'],
  options: redisOptions,
  notes: [
    'Without a policy there nothing is judged by kernels in workerd. Without keys there a gateway in workerd knows API_KEY alone.',
  ],
  examples: [['config remove keys', 'no pushed key opens a gateway any more']],
  async run(context) {
    const { args, out } = context;
    const name = storedNames.find((one) => one === args.operand(0));
    if (name === undefined) throw usageError('config remove', `NAME: must be one of ${storedNames.join(', ')}`);
    const removed = await withRedis(context, (redis) => removeConfig(redis, name));
    if (!removed) throw new Stop(`${storedKey(name)}: nothing was pushed`, exit.notFound);
    if (args.flag('json')) out.json(JSON.stringify({ name, removed }));
    else out.print(`removed ${name}`);
    return exit.ok;
  },
};

function told({ sequence, hash }: PolicyVersion): string {
  return `${new Date(sequence).toISOString()} ${hash}`;
}
