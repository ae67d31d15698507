import type { FastifyInstance } from 'fastify';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';

/** Refuses requests beyond `max` at a time (503), so that those in work are finished in bounded time and memory. */
export function limitInFlight(app: FastifyInstance, max: number): void {
  let inFlight = 0;
  app.addHook('onRequest', async (request) => {
    if (inFlight >= max) {
      throw new CouldNotCheckError('OVERLOADED', `${max} requests are in work; try again in a moment`);
    }
    inFlight++;
    request.raw.once('close', () => {
      inFlight--;
    });
  });
}
