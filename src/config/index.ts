/**
 * Settings from flags, then environment, then one YAML file, checked as a whole before anything is opened.
 * A wrong one is named as it was given, with what was expected and what it got.
 */
export { loadConfig, isLoopback, misspeltVariables, type ConfigSources } from './load.ts';
export { MQTT_VERSIONS } from './mqtt-settings.ts';
export { PACKAGE_DIR, VERSION } from './package.ts';
export { SETTINGS, type Settings, type SettingKey } from './settings.ts';
export { withoutUser } from './setting.ts';
export { STORE_KINDS, type StoreKind, type StoreSettings } from './store-settings.ts';
