# Prints the intercept and the coefficients that glmnet finds, one a line.
# Usage: Rscript lasso_glmnet.R DATA.csv LAMBDA TRUE|FALSE    (last column of the CSV: the outcome; no header)
suppressPackageStartupMessages(library(glmnet))
args <- commandArgs(trailingOnly = TRUE)
table <- as.matrix(read.csv(args[1], header = FALSE))
columns <- ncol(table) - 1
fit <- glmnet(table[, 1:columns], table[, columns + 1], lambda = as.numeric(args[2]),
              standardize = as.logical(args[3]), thresh = 1e-22, maxit = 1e8)
cat(sprintf("%.17g\n", as.numeric(coef(fit))), sep = "")
