# Prints the intercept and the coefficients that glmnet finds, one a line.
# Usage: Rscript lasso_glmnet.R DATA.csv LAMBDA ALPHA TRUE|FALSE    (last column of the CSV: the outcome; no header)
# LAMBDA and ALPHA are glmnet's own; lasso_vectors.py converts.
suppressPackageStartupMessages(library(glmnet))
args <- commandArgs(trailingOnly = TRUE)
table <- as.matrix(read.csv(args[1], header = FALSE))
columns <- ncol(table) - 1
fit <- glmnet(table[, 1:columns], table[, columns + 1], lambda = as.numeric(args[2]), alpha = as.numeric(args[3]),
              standardize = as.logical(args[4]), thresh = 1e-22, maxit = 1e8)
cat(sprintf("%.17g\n", as.numeric(coef(fit))), sep = "")
