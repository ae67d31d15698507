import { describe, expect, it } from 'vitest';
import { productOfCpuid, productOfName } from '../../../../server/verifiers/snp/product.ts';

describe('productOfCpuid', () => {
  it.each([
    [0x19, 0x00, 'Milan'],
    [0x19, 0x0f, 'Milan'],
    [0x19, 0x10, 'Genoa'],
    [0x19, 0x1f, 'Genoa'],
    [0x19, 0xa0, 'Genoa'],
    [0x19, 0xaf, 'Genoa'],
    [0x1a, 0x00, 'Turin'],
    [0x1a, 0x11, 'Turin'],
  ])('takes family %i model %i for %s', (family, model, product) => {
    expect(productOfCpuid({ family, model, stepping: 0 })).toBe(product);
  });

  it.each([
    [0x17, 0x01],
    [0x19, 0x20],
    [0x19, 0x9f],
    [0x19, 0xb0],
    [0x1a, 0x12],
    [0, 0],
  ])('refuses family %i model %i', (family, model) => {
    expect(() => productOfCpuid({ family, model, stepping: 0 })).toThrow(
      expect.objectContaining({ code: 'PRODUCT_UNSUPPORTED' }),
    );
  });
});

describe('productOfName', () => {
  it.each([
    ['Milan', 'Milan'],
    ['Milan-B0', 'Milan'],
    ['Genoa-B1', 'Genoa'],
    ['Turin', 'Turin'],
    ['Rome', undefined],
    ['Milano', undefined],
    ['milan', undefined],
    ['Milan-', undefined],
    ['Milan-B0 ', undefined],
    ['', undefined],
  ])('takes %j for %s', (name, product) => {
    expect(productOfName(name)).toBe(product);
  });
});
