// Which stream gets what, and what only a terminal gets.
import { describe, expect, test } from 'vitest';
import { capture } from '../../helpers/captured.ts';

describe('without a terminal', () => {
  test('answers go to stdout, everything else to stderr', () => {
    const { out, stdout, stderr } = capture();
    out.print('one', 'two');
    out.note('a hint');
    out.json('{"a":1}');
    expect(stdout()).toBe('one\ntwo\n{"a":1}\n');
    expect(stderr()).toBe('a hint\n');
  });

  test('no colours, no limit, no line that overwrites itself', () => {
    const { out, stderr } = capture();
    expect(out.paint('red', 'x')).toBe('x');
    expect(out.width).toBe(Number.POSITIVE_INFINITY);
    out.progress('PENDING', 0);
    out.progress('PENDING', 1);
    out.progress('RUNNING', 2);
    out.done();
    expect(stderr()).toBe('PENDING\nRUNNING\n');
  });

  test('FORCE_COLOR asks for colours', () => {
    expect(capture({ env: { FORCE_COLOR: '1' } }).out.paint('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(capture({ env: { FORCE_COLOR: '0' } }).out.paint('red', 'x')).toBe('x');
  });

  test('JSON is not touched', () => {
    const { out, stdout } = capture({ columns: 40 });
    const text = '{ "b":1,\n"a": "a very long text that no table would show in full" }\n';
    out.json(text);
    expect(stdout()).toBe(text);
  });
});

describe('on a terminal', () => {
  test('colours, unless NO_COLOR or a dumb terminal says no', () => {
    const columns = 80;
    expect(capture({ columns }).out.paint('green', 'x')).toBe('\u001b[32mx\u001b[39m');
    expect(capture({ columns, env: { NO_COLOR: '1' } }).out.paint('green', 'x')).toBe('x');
    expect(capture({ columns, env: { NO_COLOR: '', TERM: 'xterm' } }).out.paint('green', 'x')).not.toBe('x');
    expect(capture({ columns, env: { TERM: 'dumb' } }).out.paint('green', 'x')).toBe('x');
    expect(capture({ columns, env: { NO_COLOR: '1', FORCE_COLOR: '1' } }).out.paint('green', 'x')).toBe('x');
  });

  test('progress overwrites itself, shows seconds, and is gone before anything else is said', () => {
    const { out, stdout, stderr } = capture({ columns: 40 });
    out.progress('PENDING', 0.2);
    out.progress('RUNNING', 3.9);
    out.print('done');
    out.done();
    expect(stderr()).toBe('\r\u001b[2KPENDING\r\u001b[2KRUNNING  3 s\r\u001b[2K');
    expect(stdout()).toBe('done\n');
  });

  test('a progress line fits into one line', () => {
    const { out, stderr } = capture({ columns: 40 });
    out.progress('x'.repeat(100), 12);
    expect(stderr().replace('\r\u001b[2K', '')).toBe(`${'x'.repeat(32)}…  12 s`);
  });
});
