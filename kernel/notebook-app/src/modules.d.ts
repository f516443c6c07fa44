declare module "plotly.js-cartesian-dist-min";
declare module "*.css";
