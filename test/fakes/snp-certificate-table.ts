/** GHCB specification, SNP Extended Guest Request. */
export const GUIDS = {
  ARK: 'c0b406a4-a803-4952-9743-3fb6014cd0ae',
  ASK: '4ab7b379-bbac-4fe4-a02f-05aef327c782',
  VCEK: '63da758d-e664-4564-adc5-f4b93be8accd',
  VLEK: 'a8074bc2-a25a-483e-aae6-39c045a0b8a1',
  CRL: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea',
} as const;

/** The table as a host lays it out: entries, one of zeros, the certificates; then zeros up to `length`. */
export function fakeCertificateTable(
  certificates: readonly (readonly [guid: string, bytes: Uint8Array])[],
  length = 0,
): Buffer {
  let offset = (certificates.length + 1) * 24;
  const entries = certificates.map(([guid, bytes]) => {
    const entry = Buffer.alloc(24);
    entry.set(Buffer.from(guid.replaceAll('-', ''), 'hex'));
    entry.writeUInt32LE(offset, 16);
    entry.writeUInt32LE(bytes.byteLength, 20);
    offset += bytes.byteLength;
    return entry;
  });
  const bodies = certificates.map(([, bytes]) => bytes);
  const table = Buffer.concat([...entries, Buffer.alloc(24), ...bodies]);
  return Buffer.concat([table, Buffer.alloc(Math.max(0, length - table.byteLength))]);
}
