/** Where Alibaba Cloud's services are. Configuration, for networks that reach them elsewhere. */
export interface AliyunAddresses {
  /** A dedicated instance. */
  readonly dedicated: (instanceId: string) => string;
  /** The shared service of a region. */
  readonly openApi: (regionId: string) => string;
  /** What the machine's host answers. */
  readonly metadata: string;
}

export const ALIYUN_ADDRESSES: AliyunAddresses = {
  dedicated: (instanceId) => `https://${instanceId}.cryptoservice.kms.aliyuncs.com`,
  openApi: (regionId) => `https://kms.${regionId}.aliyuncs.com`,
  metadata: 'http://100.100.100.200',
};

export const ALIYUN = 'aliyun';
