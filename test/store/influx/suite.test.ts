import { openInfluxStore } from '../../../src/store/index.ts';
import { describeWithInflux, startInflux } from '../../fixtures/influxd.ts';
import { storeSuite } from '../suite.ts';

describeWithInflux('with a real server', () => {
  storeSuite('the InfluxDB store', async () => {
    const server = await startInflux();
    const { url, token, org } = server;
    const store = await openInfluxStore({ url, token, org, bucket: await server.newBucket() });
    return {
      store,
      close: async () => {
        await store.close();
        await server.stop();
      },
    };
  });
});
