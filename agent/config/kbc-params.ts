/** How guests are told of their key broker without a file: `agent.aa_kbc_params=<kbc>::<url>`. */
const KERNEL_PARAMETER = 'agent.aa_kbc_params=';
/** The one that names a key broker; `offline_fs_kbc` and those of earlier releases name none. */
const KEY_BROKER = 'cc_kbc';

export interface KbcParamsSources {
  /** AA_KBC_PARAMS, which wins. */
  readonly variable: string | undefined;
  /** `/proc/cmdline`; undefined where it cannot be read. */
  readonly kernelCommandLine: string | undefined;
}

/** The URL of the key broker in `<kbc>::<url>`; undefined where there is none, and for any other form, as upstream has it. */
export function keyBrokerUrlOf({ variable, kernelCommandLine }: KbcParamsSources): string | undefined {
  const params = variable ?? parameterOf(kernelCommandLine ?? '');
  const [kbc, url, ...others] = params?.split('::') ?? [];
  return kbc === KEY_BROKER && url !== '' && others.length === 0 ? url : undefined;
}

function parameterOf(commandLine: string): string | undefined {
  return commandLine
    .split(/\s+/)
    .find((word) => word.startsWith(KERNEL_PARAMETER))
    ?.slice(KERNEL_PARAMETER.length);
}
