import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { sendProblem } from './problem.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const satisfies HTTPMethods[];

/**
 * Answers 405, with the methods that there are, where a path has a route but not for this method (RFC 9110, section
 * 15.5.6). Call it before the routes are registered, and what it returns after the last one. Paths below `except`
 * answer in a form of their own.
 */
export function refuseOtherMethods(app: FastifyInstance, except: string): () => void {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsOf.set(url, methods);
  });
  return () => {
    for (const [url, known] of [...methodsOf]) {
      const others = METHODS.filter((method) => !known.has(method));
      if (url.startsWith(except) || others.length === 0) continue;
      const allowed = [...known].join(', ');
      const refuse = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
        const detail = `expected ${allowed}, got ${request.method}`;
        reply.header('allow', allowed);
        return await sendProblem(reply, { status: 405, code: 'METHOD_NOT_ALLOWED', detail });
      };
      app.route({
        method: others,
        url,
        exposeHeadRoute: false,
        // Before the body is read: nothing that it could hold matters.
        onRequest: refuse,
        handler: refuse,
      });
    }
  };
}
