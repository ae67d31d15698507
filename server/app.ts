import rateLimit from '@fastify/rate-limit';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { type AttestationRoutesOptions, attestationRoutes } from './attestation/attestation-routes.ts';
import { type CollateralRoutesOptions, collateralRoutes } from './collateral/collateral-routes.ts';
import { type DecisionRoutesOptions, decisionRoutes } from './decisions/decision-routes.ts';
import { NotFoundError } from './errors/not-found-error.ts';
import { replyWithProblem } from './http/error-reply.ts';
import { type HealthRoutesOptions, healthRoutes } from './http/health-routes.ts';
import { limitInFlight } from './http/in-flight.ts';
import { useStrictJsonBodies } from './http/json-body.ts';
import { refuseOtherMethods } from './http/other-methods.ts';
import { replyWithKbsError } from './kbs/kbs-error-routes.ts';
import { type KbsRoutesOptions, kbsRoutes } from './kbs/kbs-routes.ts';
import { type PolicyRoutesOptions, policyRoutes } from './policy/policy-routes.ts';
import {
  type ReferenceValueRoutesOptions,
  referenceValueRoutes,
} from './reference-values/reference-value-routes.ts';
import { type JwksRoutesOptions, jwksRoutes } from './token/jwks-routes.ts';

/** What the routes are given; undefined where this process does not play the role. */
export interface Services {
  readonly attestation: AttestationRoutesOptions | undefined;
  readonly jwks: JwksRoutesOptions | undefined;
  readonly kbs: KbsRoutesOptions | undefined;
  readonly policies: PolicyRoutesOptions;
  readonly referenceValues: ReferenceValueRoutesOptions | undefined;
  readonly decisions: DecisionRoutesOptions;
  readonly collateral: CollateralRoutesOptions;
  readonly health: HealthRoutesOptions;
}

/** The listener's part of the configuration, by its names there. */
export interface AppOptions {
  readonly log: FastifyBaseLogger;
  readonly body_limit_bytes: number;
  readonly rate_limit_per_minute: number;
  readonly max_in_flight: number;
  readonly trust_proxy: boolean;
}

/** Tokens of guests with many devices in `Authorization` are larger than Node's 16 KiB. */
const MAX_HEADER_BYTES = 262_144;
const MAX_PARAM_LENGTH = 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
/** Below it errors have upstream's form. */
const KBS_PREFIX = '/kbs/v0';

/** The HTTP application. Does not listen. */
export async function buildApp(services: Services, options: AppOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.body_limit_bytes,
    trustProxy: options.trust_proxy,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    return503OnClosing: true,
    frameworkErrors: replyToBadTarget,
    forceCloseConnections: 'idle',
    http: { maxHeaderSize: MAX_HEADER_BYTES },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(replyWithProblem);
  app.setNotFoundHandler(async (request) => {
    throw new NotFoundError(
      `no route ${request.method} ${request.url.split('?', 1)[0]?.slice(0, 200) ?? ''}`,
    );
  });
  useStrictJsonBodies(app);
  const sealRoutes = refuseOtherMethods(app, KBS_PREFIX);
  await app.register(healthRoutes, services.health);
  await app.register(async (limited) => {
    limitInFlight(limited, options.max_in_flight);
    await limited.register(publicRoutes(services, options));
    await limited.register(verigoApi(services), { prefix: '/api/v1' });
  });
  sealRoutes();
  return await app;
}

/** A target that no router can read, such as `/%zz`, in the form that its face speaks. */
function replyToBadTarget(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const isBroker = request.raw.url?.startsWith(KBS_PREFIX) === true;
  const answer = isBroker ? replyWithKbsError('InvalidRequestPath') : replyWithProblem;
  void answer(error, request, reply);
}

/** Upstream's faces. What needs no credentials is limited by address. */
function publicRoutes(
  services: Services,
  { rate_limit_per_minute: perMinute }: AppOptions,
): FastifyPluginAsync {
  return async (app) => {
    if (perMinute > 0) {
      await app.register(rateLimit, {
        max: perMinute,
        timeWindow: '1 minute',
        cache: 50_000,
        allowList: (request) => request.method !== 'POST',
      });
    }
    if (services.attestation !== undefined) await app.register(attestationRoutes, services.attestation);
    if (services.jwks !== undefined) await app.register(jwksRoutes, services.jwks);
    if (services.kbs !== undefined) await app.register(kbsRoutes, { prefix: KBS_PREFIX, ...services.kbs });
  };
}

/** Verigo's own face, for administrators. */
function verigoApi(services: Services): FastifyPluginAsync {
  return async (app) => {
    await app.register(policyRoutes, services.policies);
    await app.register(decisionRoutes, services.decisions);
    await app.register(collateralRoutes, services.collateral);
    if (services.referenceValues !== undefined) {
      await app.register(referenceValueRoutes, services.referenceValues);
    }
  };
}
