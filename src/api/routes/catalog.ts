import { z } from 'zod';
import { LIMITS, MillraceError, formatTimeNs } from '../../core/index.ts';
import type { StoredDevice } from '../../store/index.ts';
import type { ApiContext } from '../context.ts';
import { decodeKeyPage, encodeKeyPage } from '../../answers/index.ts';
import { defineRoute, json, type Route } from '../route.ts';
import { StoreTime } from '../../answers/index.ts';

const measurementOutput = z.object({
  name: z.string(),
  doc: z.string().nullable(),
  tags: z.array(z.string()).describe('device first, then in schema order'),
  fields: z.array(
    z.object({
      name: z.string(),
      type: z.enum(['integer', 'float', 'boolean', 'string']),
      unit: z.string().nullable(),
      doc: z.string().nullable(),
    }),
  ),
  subjects: z.array(z.string()),
});

const deviceOutput = z.object({
  device: z.string(),
  firstSeen: z.string().describe("The oldest of its rows' own times, RFC 3339 in UTC"),
  lastSeen: z.string().describe("The newest of its rows' own times"),
  connected: z.boolean(),
  measurements: z.array(z.string()),
});

/** What there is to read: measurements and devices. */
export function catalogRoutes(context: ApiContext): Route[] {
  return [measurementsRoute(context), devicesRoute(context), deviceRoute(context)];
}

function measurementsRoute({ registry }: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/measurements',
    summary: 'List measurements with their tags and fields',
    input: z.object({}),
    output: { 'application/json': z.object({ measurements: z.array(measurementOutput) }) },
    handler: () =>
      json({
        measurements: registry.measurements().map((measurement) => ({
          name: measurement.name,
          doc: measurement.doc,
          tags: ['device', ...measurement.tags.map((tag) => tag.name)],
          fields: measurement.fields.map(({ name, type, unit, doc }) => ({ name, type, unit, doc })),
          subjects: measurement.subjects,
        })),
      }),
  });
}

function devicesRoute(context: ApiContext): Route {
  const binding = 'devices';
  return defineRoute({
    method: 'GET',
    path: '/v1/devices',
    summary: 'List the devices that have stored rows, in order of id',
    input: z.object({
      limit: z.int().min(1).max(LIMITS.devicesMaxRows).default(LIMITS.devicesDefaultRows),
      cursor: z.string().max(2_048).optional().describe('Where the page before ended'),
    }),
    output: {
      'application/json': z.object({ devices: z.array(deviceOutput), cursor: z.string().nullable() }),
    },
    problems: [400, 503],
    async handler({ limit, cursor }, exchange) {
      const after = cursor === undefined ? null : decodeKeyPage(binding, cursor);
      const found = await ask(context, exchange.signal, (signal) =>
        context.store.devices(
          { measurements: context.registry.measurements(), after, limit: limit + 1 },
          signal,
        ),
      );
      const devices = found.slice(0, limit);
      const last = devices.at(-1);
      return json({
        devices: devices.map((device) => deviceJson(device, context)),
        cursor: found.length > limit && last !== undefined ? encodeKeyPage(binding, last.device) : null,
      });
    },
  });
}

function deviceRoute(context: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/devices/{id}',
    summary: 'Read one device',
    input: z.object({ id: z.string().max(LIMITS.maxParameterLength) }),
    output: { 'application/json': deviceOutput },
    problems: [404, 503],
    async handler({ id }, exchange) {
      const measurements = context.registry.measurements();
      const device = await ask(context, exchange.signal, (signal) =>
        context.store.device({ measurements, device: id }, signal),
      );
      if (device === null)
        throw new MillraceError('device_unknown', `there is no device "${id.slice(0, 130)}"`);
      return json(deviceJson(device, context));
    },
  });
}

/** Asks the store within the query's time. */
function ask<T>(
  { queryTimeoutMs }: ApiContext,
  client: AbortSignal,
  step: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const time = new StoreTime(client, queryTimeoutMs);
  return time.spend(() => step(time.signal));
}

function deviceJson(stored: StoredDevice, { connected }: ApiContext): z.infer<typeof deviceOutput> {
  return {
    device: stored.device,
    firstSeen: formatTimeNs(stored.firstSeenNs),
    lastSeen: formatTimeNs(stored.lastSeenNs),
    connected: connected(stored.device),
    measurements: [...stored.measurements],
  };
}
