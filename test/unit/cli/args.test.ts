// Reading the command line: what is understood, and that every mistake is named in one line.
import { describe, expect, test } from 'vitest';
import { type Args, readArgs, type Shape } from '../../../local/cli/args.ts';
import { Stop } from '../../../local/bootstrap/stop.mjs';

const shape: Shape = {
  name: 'work',
  operands: ['ID', '[MORE]'],
  options: {
    json: { kind: 'flag', help: '' },
    topic: { kind: 'text', value: 'TOPIC', help: '' },
    label: { kind: 'list', value: 'NAME=VALUE', help: '' },
    limit: { kind: 'count', value: 'N', help: '' },
    wait: { kind: 'wait', help: '' },
    priority: { kind: 'text', oneOf: ['batch', 'CRITICAL'], help: '' },
  },
};

const read = (...argv: string[]): Args => readArgs(shape, argv);

function problem(...argv: string[]): string {
  try {
    read(...argv);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    expect(error.exitCode).toBe(2);
    expect(error.message).not.toContain('\n');
    return error.message;
  }
  throw new Error('it was accepted');
}

describe('what is understood', () => {
  test('operands and options in any order', () => {
    const args = read('--json', 'a', '--label', 'x=1', 'b', '--label=y=2', '--topic', 'job.echo', '--limit=5');
    expect([args.operand(0), args.operand(1)]).toEqual(['a', 'b']);
    expect(args.flag('json')).toBe(true);
    expect(args.list('label')).toEqual(['x=1', 'y=2']);
    expect(args.text('topic')).toBe('job.echo');
    expect(args.count('limit')).toBe(5);
  });

  test('what was left out', () => {
    const args = read('a');
    expect(args.operand(1)).toBeUndefined();
    expect(args.flag('json')).toBe(false);
    expect(args.list('label')).toEqual([]);
    expect(args.text('topic')).toBeUndefined();
    expect(args.count('limit')).toBeUndefined();
    expect(args.wait('wait')).toBeUndefined();
  });

  test('--wait takes its seconds after "=" only', () => {
    expect(read('a', '--wait').wait('wait')).toBe(Number.POSITIVE_INFINITY);
    expect(read('a', '--wait=30').wait('wait')).toBe(30);
    expect(read('a', '--wait=0').wait('wait')).toBe(0);
    expect(read('--wait', 'a').operand(0)).toBe('a');
  });

  test('a value from a list in any case', () => {
    expect(read('a', '--priority', 'BATCH').text('priority')).toBe('batch');
    expect(read('a', '--priority', 'critical').text('priority')).toBe('CRITICAL');
  });

  test('"-" and what stands after "--"', () => {
    expect(read('-', '--topic', '-').text('topic')).toBe('-');
    expect(read('--', '--json').operand(0)).toBe('--json');
    expect(read('a', '--topic=-x').text('topic')).toBe('-x');
    expect(read('a', '--topic=').text('topic')).toBe('');
  });
});

describe('what is refused', () => {
  test.each<readonly [string[], RegExp]>([
    [['a', '--topik', 'x'], /--topik: unknown option, did you mean --topic\?/],
    [['a', '--zzzzzz'], /--zzzzzz: unknown option(?!,)/],
    [['a', '-x'], /-x: unknown option \(a text that begins with "-" goes after "--"\)/],
    [['a', '--topic'], /--topic: needs TOPIC after it/],
    [['a', '--topic', '--json'], /--topic: needs TOPIC after it, and got --json/],
    [['a', '--json=yes'], /--json: takes no value/],
    [['a', '--limit', 'ten'], /--limit: must be a whole number/],
    [['a', '--limit=-1'], /--limit: must be a whole number/],
    [['a', '--limit='], /--limit: must be a whole number/],
    [['a', '--wait=soon'], /--wait: must be whole seconds/],
    [['a', '--topic', 'x', '--topic', 'y'], /--topic: is given twice/],
    [['a', '--priority', 'bach'], /--priority: must be one of batch, CRITICAL, not "bach"/],
    [[], /ID is missing/],
    [['a', 'b', 'c'], /"c" is one argument too many \(put quotes around MORE\)/],
    [['a', 'b', '--wait', '30'], /: --wait: its seconds go after "=", as --wait=30 \(/],
    [['a', '--wait', '5'], /: --wait: its seconds go after "=", as --wait=5 \(/],
    [['a', '--toString'], /--toString: unknown option/],
  ])('%j', (argv, expected) => {
    expect(problem(...argv)).toMatch(expected);
  });

  test('every problem at once, and where to read on', () => {
    expect(problem('--topik=x', '--limit=y')).toBe(
      'work: --topik: unknown option, did you mean --topic?; --limit: must be a whole number; ID is missing (see: help work)',
    );
  });

  test.each(['--key', '--api-key'])('%s, because others can see it, and without repeating it', (option) => {
    const line = problem('a', `${option}=cortex_secret`);
    expect(line).toMatch(/CORTEX_API_KEY.*--key-file/);
    expect(line).not.toContain('cortex_secret');
  });
});
