// The gateway as a process: the first half of its suites.
import { testGateway } from './gateway.ts';
import { makeOnNode } from './gateway-on-node.ts';

testGateway('on Node', makeOnNode, {}, 'first');
