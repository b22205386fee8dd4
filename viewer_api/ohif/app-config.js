// How OHIF finds this archive. Everything is asked of the origin that served the page, with its session cookie.
const dicomWeb = `${window.location.origin}/dicom-web`;

window.config = {
  name: 'pacs',
  routerBasename: null,
  extensions: [],
  modes: [],
  customizationService: [{ 'ohif.tours': { $set: [] } }], // eleven steps stand between a doctor and the picture
  showPatientInfo: 'visibleReadOnly', // whose images they are stays in sight
  showStudyList: false, // the list of studies is ours, with search that knows Vietnamese
  whiteLabeling: {
    createLogoComponentFn: React =>
      React.createElement(
        'a',
        { href: '/', 'aria-label': 'Kho ảnh', title: 'Kho ảnh', className: 'mx-2 block' },
        React.createElement('img', { src: '/static/mark.svg', alt: '', width: 28, height: 28 })
      ),
  },
  investigationalUseDialog: { option: 'configure', days: 365 },
  maxNumberOfWebWorkers: 4,
  showWarningMessageForCrossOrigin: true,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  showErrorDetails: 'production',
  // as many as HTTP/2 carries at once; over HTTP/1.1 the browser itself keeps to six
  maxNumRequests: { interaction: 100, thumbnail: 75, prefetch: 25 },
  defaultDataSourceName: 'pacs',
  dataSources: [
    {
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'pacs',
      configuration: {
        friendlyName: 'PACS',
        name: 'pacs',
        qidoRoot: dicomWeb,
        wadoRoot: dicomWeb,
        wadoUriRoot: `${window.location.origin}/wado`,
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: true,
        supportsWildcard: true,
        supportsReject: false,
        dicomUploadEnabled: false,
        imageRendering: 'wadors',
        thumbnailRendering: 'thumbnail', // made here in a few kB, instead of a whole frame for each
        thumbnailRequestStrategy: 'fetch',
        enableStudyLazyLoad: true,
        omitQuotationForMultipartRequest: true,
        singlepart: 'bulkdata,video,pdf',
        bulkDataURI: { enabled: true, relativeResolution: 'studies' },
        // the stack shows an HTJ2K frame while it still arrives; frames come with their length for that
        stackRetrieveOptions: { retrieveOptions: { single: { streaming: true, decodeLevel: 1 } } },
      },
    },
  ],
  httpErrorHandler: error => {
    if (error.status === 401) window.location.assign('/sign-in'); // the session ended while the page was open
  },
};
