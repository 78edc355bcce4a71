import { describe, expect, it } from 'vitest';
import { CortexError } from '#core/errors.ts';
import { addressUrl, formatAddress, isLoopback, parseAddress } from '#core/process/address.ts';
import { describeEnv, EnvError, type EnvVar, named, parseEnv, readEnv, readKnown } from '#core/process/env.ts';
import * as v from '#core/process/variables.ts';

function one<T>(variable: EnvVar<T>, written: string | undefined): T | string {
  const read = readEnv({ it: variable }, { [variable.name]: written });
  return read.ok ? read.value.it : read.error.join('|');
}

const spec = {
  nats: v.urls('NATS_URL', 'nats://localhost:4222', 'the bus', ['nats', 'tls']),
  kernel: v.address('SAFETY_KERNEL_ADDR', 'localhost:50051', 'where the kernel answers'),
  files: v.int('MIN_SCAN_FILES', '1', 'fewest files of a scan', { min: 0, max: 10 }),
  planner: v.bool('USE_PLANNER', 'false', 'ask the planner', { otherwise: 'false' }),
  key: v.text('API_KEY', undefined, 'the one key', {
    secret: true,
    pattern: /^.{8,}$/,
    type: 'text of 8 characters or more',
  }),
};

describe('an environment', () => {
  it('gives typed, frozen values, and defaults for what is unset, empty or blank', () => {
    const values = parseEnv(spec, { MIN_SCAN_FILES: ' 7 ', USE_PLANNER: '', SAFETY_KERNEL_ADDR: '  ' });
    expect(values).toEqual({
      nats: ['nats://localhost:4222'],
      kernel: { host: 'localhost', port: 50_051 },
      files: 7,
      planner: false,
      key: undefined,
    });
    expect(Object.isFrozen(values)).toBe(true);
    // Types: a default makes a value certain, none leaves it open.
    const files: number = values.files;
    const key: string | undefined = values.key;
    expect([files, key]).toEqual([7, undefined]);
  });

  it('names every problem at once, and never shows a secret', () => {
    const env = {
      NATS_URL: 'nats://me:hunter2@',
      MIN_SCAN_FILES: '11',
      SAFETY_KERNEL_ADDR: 'kernel',
      API_KEY: 'hunter2',
    };
    let thrown: unknown;
    try {
      parseEnv(spec, env);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(EnvError);
    expect(thrown).toBeInstanceOf(CortexError);
    const problems = thrown instanceof EnvError ? thrown.problems : [];
    expect(problems).toEqual([
      'NATS_URL: its value is not a list of URLs that begin with nats:// or tls://, separated by commas',
      'SAFETY_KERNEL_ADDR: "kernel" is not a host:port with a port from 0 to 65535',
      'MIN_SCAN_FILES: "11" is not a whole number from 0 to 10',
      'API_KEY: its value is not a text of 8 characters or more',
    ]);
    expect(String(thrown)).not.toContain('hunter2');
  });

  it('describes itself for a table', () => {
    expect(describeEnv(spec)[2]).toEqual({
      name: 'MIN_SCAN_FILES',
      default: '1',
      type: 'whole number from 0 to 10',
      what: 'fewest files of a scan',
    });
    expect(describeEnv(spec).map((row) => row.name)).toEqual(Object.values(spec).map((variable) => variable.name));
  });

  it('insists on what is required', () => {
    const url = v.required(v.url('OLLAMA_URL', undefined, 'the model', ['http', 'https']));
    expect(one(url, undefined)).toBe('OLLAMA_URL: is not set (URL that begins with http:// or https://)');
    expect(one(url, 'http://ollama:11434/')).toBe('http://ollama:11434');
  });
});

describe('the kinds of variable', () => {
  it.each<[EnvVar<unknown>, string, unknown]>([
    [v.bool('X', 'false', ''), 'true', true],
    [v.bool('X', 'true', ''), 'false', false],
    [v.bool('X', 'true', '', { otherwise: 'false' }), 'TRUE', false],
    [v.int('X', '0', ''), '-3', -3],
    [v.decimal('X', '0', '', { min: 0 }), '0.25', 0.25],
    [v.seconds('X', '0', ''), '1.5', 1_500],
    [v.duration('X', '1s', ''), '1h30m', 5_400_000],
    [v.duration('X', '1s', ''), '250ms', 250],
    [v.list('X', 'a', ''), ' echo, chat ,,', ['echo', 'chat']],
    [v.path('X', 'a', ''), '/etc/with blank', '/etc/with blank'],
    [v.choice('X', 'info', '', ['info', 'debug']), 'debug', 'debug'],
    [v.address('X', ':1', ''), ':50070', { host: '', port: 50_070 }],
    [v.address('X', ':1', ''), '[::1]:0', { host: '::1', port: 0 }],
    [v.text('X', '', ''), 'as it is', 'as it is'],
  ])('%# reads what is right', (variable, written, value) => {
    expect(one(variable, written)).toEqual(value);
  });

  it.each<[EnvVar<unknown>, string]>([
    [v.bool('X', 'false', ''), 'yes'],
    [v.bool('X', 'false', ''), 'TRUE'],
    [v.int('X', '0', ''), '1.5'],
    [v.int('X', '0', ''), '0x10'],
    [v.int('X', '0', ''), '1e3'],
    [v.int('X', '0', '', { min: 1 }), '0'],
    [v.decimal('X', '0', '', { max: 2 }), '2.1'],
    [v.seconds('X', '0', ''), '-1'],
    [v.seconds('X', '0', '', { max: 60 }), '61'],
    [v.duration('X', '1s', ''), '90'],
    [v.duration('X', '1s', ''), '1h 30m'],
    [v.list('X', 'a', '', { item: /^[a-z]+$/ }), 'echo,No'],
    [v.path('X', 'a', ''), 'a\0b'],
    [v.choice('X', 'info', '', ['info', 'debug']), 'loud'],
    [v.address('X', ':1', ''), 'host:65536'],
    [v.address('X', ':1', ''), 'http://host:80'],
    [v.address('X', ':1', ''), '::1:80'],
    [v.url('X', undefined, '', ['http']), 'ftp://x'],
    [v.url('X', undefined, '', ['http']), 'http://'],
    [v.urls('X', undefined, '', ['nats']), 'nats://a,b'],
  ])('%# refuses what is wrong, by name', (variable, written) => {
    expect(one(variable, written)).toMatch(/^X: /);
  });
});

describe('an address', () => {
  it('is written as it was read, and dialled where it can be reached', () => {
    for (const text of ['localhost:1', '[::1]:2', ':3', '0.0.0.0:4']) {
      const parsed = parseAddress(text);
      expect(parsed && formatAddress(parsed)).toBe(text);
    }
    expect(addressUrl({ host: '', port: 9090 })).toBe('http://127.0.0.1:9090');
    expect(addressUrl({ host: '::', port: 9090 })).toBe('http://127.0.0.1:9090');
    expect(addressUrl({ host: '::1', port: 9090 })).toBe('http://[::1]:9090');
  });

  it('knows what only this machine reaches', () => {
    expect(['127.0.0.1', '127.3.2.1', 'localhost', '::1'].map((host) => isLoopback({ host, port: 1 }))).not.toContain(
      false,
    );
    expect(
      ['', '0.0.0.0', '::', '10.0.0.1', '127.evil.example'].map((host) => isLoopback({ host, port: 1 })),
    ).not.toContain(true);
  });
});

describe('a variable whose value leads nowhere', () => {
  it('is named in the error of ours, and in no other', async () => {
    const error = new CortexError('unavailable', 'no NATS at nats://x');
    await expect(named('NATS_URL', Promise.reject(error))).rejects.toMatchObject({
      code: 'unavailable',
      message: 'NATS_URL: no NATS at nats://x',
    });
    await expect(named('NATS_URL', Promise.reject(new TypeError('a bug')))).rejects.toThrow(/^a bug$/);
  });

  it('is left out of what is known', () => {
    expect(readKnown(spec, { MIN_SCAN_FILES: 'x', USE_PLANNER: 'true' })).toMatchObject({ planner: true });
    expect(readKnown(spec, { MIN_SCAN_FILES: 'x' })).not.toHaveProperty('files');
  });
});
