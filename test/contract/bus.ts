// What every bus must do, on whatever it runs.
import { describe } from 'vitest';
import { testDelivery } from './bus-delivery.ts';
import { testOutage } from './bus-outage.ts';
import { type BusRig, setStage } from './bus-stage.ts';

/** Runs the contract on a kind of bus. */
export function testBus(name: string, make: () => Promise<BusRig>): void {
  describe(`bus on ${name}`, () => {
    const stage = setStage(make);
    testDelivery(stage);
    testOutage(stage);
  });
}
