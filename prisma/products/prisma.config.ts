import { definePrismaConfig } from '../define.ts';

export default definePrismaConfig('products');
