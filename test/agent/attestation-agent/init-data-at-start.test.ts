import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Attester } from '../../../agent/attestation-agent/attesters/attester.ts';
import { sampleAttester } from '../../../agent/attestation-agent/attesters/sample/sample-attester.ts';
import {
  bindGivenInitData,
  bindInitData,
  type GivenInitData,
} from '../../../agent/attestation-agent/init-data-at-start.ts';
import { compareWithField } from '../../../agent/attestation-agent/init-data-binding.ts';

const TEXT = 'version = "0.1.0"\nalgorithm = "sha384"\n[data]\n';
const DIGEST = createHash('sha384').update(TEXT).digest();

/** A TEE that the host launched with this digest in its field. */
function launchedWith(digest: Uint8Array): Attester {
  return {
    ...sampleAttester,
    bindInitData: async (given) => compareWithField(given, digest, 'MRCONFIGID'),
  };
}

const withoutField: Attester = {
  ...sampleAttester,
  bindInitData: async () => ({ result: 'unsupported', reason: 'no field' }),
};

async function start(attester: Attester, given: GivenInitData) {
  const warnings: string[] = [];
  const text = await bindGivenInitData(attester, given, (message) => warnings.push(message));
  return { text, warnings };
}

describe('init data at the start', () => {
  it('is bound by its text, which is kept for servers', async () => {
    expect(await start(launchedWith(DIGEST), { text: TEXT })).toEqual({ text: TEXT, warnings: [] });
  });

  it('is bound by its digest, and then there is no text', async () => {
    const digest = DIGEST.toString('base64');
    expect(await start(launchedWith(DIGEST), { digest })).toEqual({ text: undefined, warnings: [] });
  });

  it('the text wins over the digest', async () => {
    const digest = Buffer.alloc(48).toString('base64');
    expect((await start(launchedWith(DIGEST), { text: TEXT, digest })).text).toBe(TEXT);
  });

  it('is nothing where nothing was given, whatever the host said', async () => {
    expect(await start(launchedWith(DIGEST), {})).toEqual({ text: undefined, warnings: [] });
  });

  it('is told not to be proven where the TEE has no field for it', async () => {
    expect(await start(withoutField, { text: TEXT })).toEqual({
      text: TEXT,
      warnings: ['the init data is not proven: no field'],
    });
  });

  it.each<[string, Attester, GivenInitData, string]>([
    ['another text', launchedWith(DIGEST), { text: `${TEXT}\n` }, 'INIT_DATA_MISMATCH'],
    ['another digest', launchedWith(DIGEST), { digest: 'AAAA' }, 'INIT_DATA_MISMATCH'],
    ['a host that named none', launchedWith(new Uint8Array(48)), { text: TEXT }, 'INIT_DATA_MISMATCH'],
    ['an empty digest', launchedWith(new Uint8Array(48)), { digest: '' }, 'INIT_DATA_DIGEST_SIZE'],
    ['a digest beyond SHA-512', withoutField, { digest: 'A'.repeat(88) }, 'INIT_DATA_DIGEST_SIZE'],
    ['a digest in the other alphabet', withoutField, { digest: '_-__' }, 'INIT_DATA_MALFORMED'],
    [
      'a text of another version (A22)',
      withoutField,
      { text: TEXT.replace('0.1', '0.2') },
      'INIT_DATA_VERSION_UNSUPPORTED',
    ],
  ])('ends it: %s', async (_what, attester, given, code) => {
    await expect(start(attester, given)).rejects.toMatchObject({ code });
  });
});

it('asked for later, no field is no binding', async () => {
  await expect(bindInitData(withoutField, DIGEST)).rejects.toMatchObject({
    code: 'INIT_DATA_BINDING_UNSUPPORTED',
  });
});
