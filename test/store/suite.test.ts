import { describeStores } from './stores-under-test.ts';
import { storeTests } from './suite.ts';

describeStores(
  (name) => `the ${name} store`,
  (_kind, { start }) => {
    storeTests(async () => {
      const { place, stop } = await start();
      const open = await place();
      const store = await open();
      return {
        store,
        close: async () => {
          await store.close();
          await stop();
        },
      };
    });
  },
);
