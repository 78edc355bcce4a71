// Which addresses are public, and what git and ssh are told.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRepoAddress } from '#core/protocol/repo-address.ts';
import { unwrap } from '#core/result.ts';
import { httpsSettings, sshEnvironment } from '../../../services/worker/repo/fetch.ts';
import { isPublicAddress } from '../../../services/worker/repo/fetch-rules.ts';

describe('a public address', () => {
  test.each(['1.1.1.1', '8.8.8.8', '93.184.216.34', '2606:4700::1111', '2a00:1450:4001:800::200e'])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    ...[
      '127.0.0.1',
      '127.255.255.255',
      '0.0.0.0',
      '0.1.2.3',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
    ],
    ...['169.254.169.254', '100.64.0.1', '100.100.100.200', '192.0.0.192', '192.0.2.1', '198.18.0.1', '198.51.100.1'],
    ...['203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
    ...[
      '::',
      '::1',
      '::127.0.0.1',
      '::7f00:1',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
    ],
    ...[
      'fe80::1',
      'fe80::1%eth0',
      'fec0::1',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
      '2001:db8::1',
      '2001::1',
      '2002:7f00:1::1',
    ],
    ...['100::1', '5f00::1', 'localhost', '', '1.2.3', '0x7f.1', '1.2.3.4.5'],
  ])('%s is none', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test('nothing mapped or private is, whatever its digits', () => {
    fc.assert(
      fc.property(fc.ipV4(), (v4) => {
        expect(isPublicAddress(`::ffff:${v4}`)).toBe(false);
        expect(isPublicAddress(`::${v4}`)).toBe(false);
        expect(isPublicAddress(`64:ff9b::${v4}`)).toBe(false);
        expect(isPublicAddress(v4.replace(/^\d+/, '10'))).toBe(false);
        expect(isPublicAddress(v4.replace(/^\d+/, '127'))).toBe(false);
      }),
    );
  });
});

describe('what git is told', () => {
  const address = (url: string) => unwrap(parseRepoAddress(url));

  test('https: where to connect, and to follow nothing', () => {
    const told = httpsSettings(address('https://Git.Example.org:8443/x'), ['1.2.3.4', '2606::1'], {
      caFile: '/ca.pem',
    });
    expect(told).toContain('http.curloptResolve=git.example.org:8443:1.2.3.4,[2606::1]');
    expect(told).toContain('http.followRedirects=false');
    expect(told).toContain('http.proxy=');
    expect(told).toContain('http.sslCAInfo=/ca.pem');
    expect(httpsSettings(address('https://1.2.3.4/x'), ['1.2.3.4'], { caFile: undefined }).join()).not.toMatch(
      /Resolve|CA/,
    );
    expect(httpsSettings(address('https://[2606::1]/x'), ['2606::1'], { caFile: undefined }).join()).not.toMatch(
      /Resolve/,
    );
  });

  test('ssh: one address, one key, known hosts alone, and quotes around all of it', () => {
    const keys = { sshKey: "/k/it's", sshKnownHosts: '/k/hosts' };
    const { GIT_SSH_COMMAND: command = '' } = sshEnvironment(address('git@example.org:a/b'), ['1.2.3.4'], keys);
    expect(command).toMatch(/^'ssh' '-F' '\/dev\/null' /);
    expect(command).toContain("'HostName=1.2.3.4'");
    expect(command).toContain("'HostKeyAlias=example.org'");
    expect(command).toContain("'StrictHostKeyChecking=yes'");
    expect(command).toContain(`'IdentityFile=/k/it'\\''s'`);
    const other = sshEnvironment(address('ssh://git@example.org:2222/a'), ['1.2.3.4'], keys);
    expect(other['GIT_SSH_COMMAND']).toContain("'HostKeyAlias=[example.org]:2222'");
  });
});
